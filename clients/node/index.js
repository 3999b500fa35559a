// What a program says by itself: events and anomalies. Nothing here throws, and while nobody listens nothing is built.
'use strict';

const { MARKER, listening, native, reason } = require('./lib/native');
const { counted, plain, toText } = require('./lib/data');
const { quiet, runId } = require('./lib/teller');

// Made now, so that threads and processes that this one starts before its first event are of the same run.
if (native !== null) quiet(runId)();

const given = (text) => (text === undefined || text === null ? undefined : plain(text));

/** Says that something happened; `data` is a text or what JSON can say. Whether somebody was there to hear it. */
function event(type, data, options) {
  try {
    if (!listening(MARKER.event)) return false;
    native.event(plain(type), given(options?.testId), given(options?.runId) ?? runId(), toText(data));
    return true;
  } catch {
    return false;
  }
}

/** Says that something abnormal was seen in a signal, of which more should be kept for a while. */
function anomaly(signal, kind) {
  try {
    if (!listening(MARKER.anomaly)) return false;
    native.anomaly(plain(signal), plain(kind));
    return true;
  } catch {
    return false;
  }
}

/** Whether there is an addon, why not, whether somebody listens, and what could not be said as it was given. */
function status() {
  return {
    available: native !== null,
    reason,
    listening: listening(MARKER.event),
    abi_version: native === null ? null : native.abiVersion(),
    run_id: process.env.SIDECAR_RUN_ID || null,
    kept_as_text: counted.kept_as_text,
  };
}

module.exports = { anomaly, event, status };
