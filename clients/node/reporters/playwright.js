// The reporter for Playwright Test. It writes nothing.
'use strict';

const { Distinct, file, id } = require('../lib/names');
const { end, quiet, runId, start, watched } = require('../lib/teller');

/** How an attempt ended, by Playwright's word. */
const STATUS = { passed: 'passed', failed: 'failed', timedOut: 'timeout', skipped: 'skipped', interrupted: 'aborted' };

class SidecarReporter {
  /** Names by Playwright's own ids: attempts of one test have one. */
  #names = new Map();
  #distinct = new Distinct();
  #root;

  constructor() {
    quiet(runId)();
  }

  onBegin(config) {
    this.#root = config.rootDir;
  }

  name(test) {
    if (!this.#names.has(test.id)) {
      // The root, the project, the file; then the suites and the test.
      const [, project, , ...titles] = test.titlePath();
      this.#names.set(test.id, this.#distinct.of(id(project, file(test.location.file, this.#root), ...titles)));
    }
    return this.#names.get(test.id);
  }

  onTestBegin(test, result) {
    if (!watched()) return;
    start({ id: this.name(test), suite: file(test.location.file, this.#root), attempt: result.retry + 1 });
  }

  onTestEnd(test, result) {
    if (!watched()) return;
    const info = {
      file: file(test.location.file, this.#root),
      line: test.location.line,
      started: result.startTime?.toISOString(),
      worker: result.parallelIndex,
      tags: test.tags?.length ? test.tags : undefined,
    };
    end({ id: this.name(test), attempt: result.retry + 1, milliseconds: result.duration, info, ...outcome(test, result) });
  }

  /** Playwright's own reporters go on writing. */
  printsToStdio() {
    return false;
  }
}

/** Status and message of an attempt. */
function outcome(test, result) {
  const message = result.error?.message ?? result.error?.value;
  if (result.status === 'skipped') {
    const why = test.annotations?.find(({ type }) => type === 'skip' || type === 'fixme');
    return { status: 'skipped', message: why?.description };
  }
  const fails = test.expectedStatus === 'failed';
  if (fails && result.status === 'failed') return { status: 'xfail' };
  if (fails && result.status === 'passed') return { status: 'xpass', message: 'it was expected to fail' };
  return { status: STATUS[result.status], message };
}

for (const name of ['onBegin', 'onTestBegin', 'onTestEnd']) {
  SidecarReporter.prototype[name] = quiet(SidecarReporter.prototype[name]);
}

module.exports = SidecarReporter;
