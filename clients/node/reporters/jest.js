// The reporter for Jest. It writes nothing.
'use strict';

const { file, id } = require('../lib/names');
const { end, quiet, runId, start, watched } = require('../lib/teller');

const TIMED_OUT = /Exceeded timeout of \d+ ms for a (test|hook)/;

/** One file's tests, as they start and end. */
class File {
  constructor(name) {
    this.name = name;
    /** Of each name, its tests: the attempts that have ended, and whether the last one failed. */
    this.tests = new Map();
    /** The names of those that have started and not ended. */
    this.open = [];
  }

  named(result) {
    return id(this.name, ...(result.ancestorTitles ?? []), result.title);
  }

  /** The tests of a name. */
  of(name) {
    if (!this.tests.has(name)) this.tests.set(name, []);
    return this.tests.get(name);
  }

  started(result) {
    const name = this.named(result);
    const tests = this.of(name);
    // It may be a retry, or another test of this name: where that is told by its end alone, so is its start.
    const told = !tests.some((test) => test.failed) && !this.open.some((open) => open.name === name);
    if (told) start({ id: numbered(name, tests.length + 1), suite: this.name });
    this.open.push({ name, told });
  }

  ended(result) {
    const name = this.named(result);
    const at = this.open.findIndex((open) => open.name === name);
    const open = at < 0 ? { told: false } : this.open.splice(at, 1)[0];
    const tests = this.of(name);
    const attempt = result.invocations > 1 ? result.invocations : 1;
    let index = attempt > 1 ? tests.findIndex((test) => test.failed && test.attempts === attempt - 1) : -1;
    if (index < 0) index = tests.push({}) - 1;
    const { status, message } = outcome(result);
    tests[index] = { attempts: attempt, failed: status !== 'passed' && result.status === 'failed' };
    const test = numbered(name, index + 1);
    if (!open.told) start({ id: test, suite: this.name, attempt });
    const begun = result.startedAt ?? result.startAt;
    const started = typeof begun === 'number' ? new Date(begun).toISOString() : undefined;
    const info = { file: this.name, line: result.location?.line, started };
    end({ id: test, status, message, attempt, milliseconds: result.duration, info });
  }

  /** The file has ended: what no worker has told of is told now, and what has not ended never will. */
  finished(result) {
    const counts = new Map();
    for (const test of result.testResults ?? []) {
      const name = this.named(test);
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      if (this.of(name).length < count) this.ended(test);
    }
    for (const { name, told } of this.open) {
      const test = numbered(name, this.of(name).length + 1);
      if (!told) start({ id: test, suite: this.name });
      end({ id: test, status: 'aborted', message: result.failureMessage });
    }
    if (result.testExecError && this.open.length === 0) {
      start({ id: this.name, suite: this.name });
      end({ id: this.name, status: 'error', message: result.failureMessage });
    }
  }
}

const numbered = (name, index) => (index === 1 ? name : `${name} #${index}`);

/** Status and message of a result. */
function outcome(result) {
  const message = result.failureMessages?.[0];
  switch (result.status) {
    case 'passed':
      return { status: result.failing ? 'xfail' : 'passed' };
    case 'failed':
      if (result.failing) return { status: 'xpass', message };
      return { status: TIMED_OUT.test(message ?? '') ? 'timeout' : 'failed', message };
    case 'todo':
      return { status: 'skipped', message: 'todo' };
    default:
      return { status: 'skipped' };
  }
}

class SidecarReporter {
  constructor(config) {
    this.root = config?.rootDir;
    this.files = new Map();
    quiet(runId)();
  }

  file(test) {
    if (!this.files.has(test.path)) this.files.set(test.path, new File(file(test.path, this.root)));
    return this.files.get(test.path);
  }
}

/** Methods by their names; each does nothing while nobody listens. */
const methods = {
  onTestCaseStart(test, info) {
    this.file(test).started(info);
  },
  onTestCaseResult(test, result) {
    this.file(test).ended(result);
  },
  onTestFileResult(test, result) {
    this.file(test).finished(result);
    this.files.delete(test.path);
  },
};
for (const [name, method] of Object.entries(methods)) {
  SidecarReporter.prototype[name] = quiet(function (...args) {
    if (watched()) method.apply(this, args);
  });
}

module.exports = SidecarReporter;
