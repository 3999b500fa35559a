// The reporter for Vitest 3. It writes nothing.
'use strict';

const { Distinct, file, id } = require('../lib/names');
const { end, quiet, runId, start, watched } = require('../lib/teller');

const TIMED_OUT = /^(Test|Hook) timed out in \d+ms/;

/** The names of the suites around a test, the outermost first. */
function suites(test) {
  const names = [];
  for (let at = test.parent; at && at.type === 'suite'; at = at.parent) names.unshift(at.name);
  return names;
}

/** Status and message of a test that has ended. */
function outcome(test) {
  const { state, note, errors } = test.result();
  const message = errors?.[0]?.message;
  const fails = test.options?.fails === true;
  if (state === 'passed') return { status: fails ? 'xfail' : 'passed' };
  if (state !== 'failed') return { status: 'skipped', message: note ?? (test.options?.mode === 'todo' ? 'todo' : undefined) };
  if (fails) return { status: 'xpass', message };
  return { status: TIMED_OUT.test(message ?? '') ? 'timeout' : 'failed', message };
}

class SidecarReporter {
  /** Tests that have started and not ended, by Vitest's own id. */
  #open = new Map();
  #distinct = new Distinct();

  constructor() {
    quiet(runId)();
  }

  name(module) {
    return file(module.moduleId, module.project?.config?.root);
  }

  ready(test) {
    const suite = this.name(test.module);
    const name = this.#distinct.of(id(suite, ...suites(test), test.name));
    this.#open.set(test.id, name);
    start({ id: name, suite });
    return name;
  }

  ended(test) {
    const name = this.#open.get(test.id) ?? this.ready(test);
    this.#open.delete(test.id);
    const known = test.diagnostic();
    const started = known?.startTime > 0 ? new Date(known.startTime).toISOString() : undefined;
    const retries = known?.retryCount || undefined;
    const info = { file: this.name(test.module), line: test.location?.line, started, retries };
    end({ id: name, milliseconds: known?.duration, info, ...outcome(test) });
  }

  /** A file that did not load: Vitest names it only when all have ended. */
  broken(module) {
    const [error] = module.errors();
    if (!error) return;
    const name = this.name(module);
    start({ id: name, suite: name });
    end({ id: name, status: 'error', message: error.message });
  }

  runEnded(modules) {
    for (const module of modules) this.broken(module);
    for (const name of this.#open.values()) end({ id: name, status: 'aborted', message: 'it has not ended' });
    this.#open.clear();
    this.#distinct = new Distinct();
  }
}

/** Vitest's methods; each does nothing while nobody listens. */
const methods = {
  onTestCaseReady: 'ready',
  onTestCaseResult: 'ended',
  onTestRunEnd: 'runEnded',
};
for (const [name, method] of Object.entries(methods)) {
  SidecarReporter.prototype[name] = quiet(function (...args) {
    if (watched()) this[method](...args);
  });
}

module.exports = SidecarReporter;
