// The reporter for node:test. It writes nothing.
'use strict';

const { Distinct, file, id } = require('../lib/names');
const { end, quiet, runId, start, watched } = require('../lib/teller');

/** How a failure of this kind ended; all others have failed. */
const FAILURES = {
  testTimeoutFailure: 'timeout',
  cancelledByParent: 'aborted',
  testAborted: 'aborted',
  hookFailed: 'error',
};

const place = (data) => `${data.file}:${data.line}:${data.column}:${data.nesting}:${data.name}`;

/** What the runner says of one file's process, not of a test in it. */
const isFile = (data) => data.nesting === 0 && file(data.name) === file(data.file);

class Run {
  /** The names that lead to the test, as the runner tells them: parents first. */
  #path = [];
  #distinct = new Distinct();
  /** When tests began, by their place, in the order in which they did. */
  #begun = new Map();

  take(type, data) {
    if (type === 'test:dequeue') {
      if (!watched()) return;
      const key = place(data);
      this.#begun.set(key, [...(this.#begun.get(key) ?? []), Date.now()]);
    } else if (type === 'test:start') {
      this.#path.length = data.nesting;
      this.#path[data.nesting] = String(data.name);
    } else if (type === 'test:pass' || type === 'test:fail') {
      this.#ended(type === 'test:pass', data);
    }
  }

  #ended(passed, data) {
    const begun = this.#begun.get(place(data))?.shift();
    if (data.details?.type === 'suite') return;
    const name = file(data.file);
    const own = isFile(data);
    const parents = this.#path.slice(0, data.nesting);
    const test = this.#distinct.of(own ? name : id(name, ...parents, String(data.name)));
    if (!watched()) return;
    const info = { file: name, line: data.line, started: begun && new Date(begun).toISOString() };
    start({ id: test, suite: name });
    end({ id: test, milliseconds: data.details?.duration_ms, info, ...outcome(passed, own, data) });
  }
}

/** Status and message of an end. */
function outcome(passed, own, data) {
  const reason = (word) => (typeof word === 'string' ? word : undefined);
  if (data.skip !== undefined && data.skip !== false) return { status: 'skipped', message: reason(data.skip) };
  const todo = data.todo !== undefined && data.todo !== false;
  if (passed) return todo ? { status: 'skipped', message: reason(data.todo) ?? 'todo' } : { status: 'passed' };
  const error = data.details?.error;
  const cause = error?.cause;
  const message = cause?.message ?? cause ?? error?.message;
  if (todo) return { status: 'xfail', message: reason(data.todo) ?? message };
  if (own) {
    const exit = error?.signal ? `signal ${error.signal}` : `exit code ${error?.exitCode}`;
    return { status: 'error', message: `the test file ended with ${exit}` };
  }
  return { status: FAILURES[error?.failureType] ?? 'failed', message };
}

/** Hears what the runner tells. A generator, because the runner wants one; nothing is ever yielded. */
module.exports = async function* sidecar(source) {
  const run = new Run();
  const take = quiet((told) => run.take(told.type, told.data));
  quiet(runId)();
  for await (const told of source) take(told);
};
