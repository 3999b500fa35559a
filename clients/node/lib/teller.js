// Fires the markers of tests for the reporters: one start and one end for each attempt.
'use strict';

const { stripVTControlCharacters } = require('node:util');
const { MARKER, listening, native } = require('./native');
const { fit, plain } = require('./data');

/** The numbers of the C ABI's statuses. */
const STATUS = { passed: 1, failed: 2, skipped: 3, error: 4, timeout: 5, aborted: 6, xfail: 7, xpass: 8 };
/** Characters of a message that are looked at: a marker carries 1 KiB. */
const MESSAGE = 2048;

/** The run's id: the environment's, else one that is made here and handed to the processes that this one starts. */
function runId() {
  let id = process.env.SIDECAR_RUN_ID;
  if (!id) {
    id = `${process.pid.toString(16)}-${Date.now().toString(16)}${Math.floor(Math.random() * 2 ** 32).toString(16)}`;
    process.env.SIDECAR_RUN_ID = id;
  }
  return id;
}

/** Milliseconds as nanoseconds; 0 for what is no duration. */
function nanoseconds(milliseconds) {
  const given = Number(milliseconds);
  return given > 0 && given < Infinity ? Math.round(given * 1e6) : 0;
}

/** An attempt starts. */
function start({ id, suite, attempt = 1, pid = 0 }) {
  if (listening(MARKER.start)) native.testStart(id, runId(), suite, attempt, pid);
}

/** An attempt has ended. `info` is what else the framework knows of it. */
function end({ id, status, milliseconds, message, attempt = 1, info }) {
  if (info !== undefined && listening(MARKER.event)) native.event('test_info', id, runId(), fit(info));
  if (!listening(MARKER.end)) return;
  const text = message === undefined || message === null ? undefined : plain(message).slice(0, MESSAGE);
  native.testEnd(id, runId(), STATUS[status] ?? 0, nanoseconds(milliseconds),
    text && stripVTControlCharacters(text), attempt);
}

/** Whether anything of a test would be told. */
function watched() {
  return listening(MARKER.start) || listening(MARKER.end);
}

/** A reporter's method that never throws, whatever the framework passes. */
function quiet(method) {
  return function (...args) {
    try {
      return method.apply(this, args);
    } catch {
      return undefined;
    }
  };
}

module.exports = { end, quiet, runId, start, watched };
