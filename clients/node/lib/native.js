// Loads the addon once a context, or remembers why there is none.
'use strict';

const path = require('node:path');

/** The numbers of the C ABI's markers. */
const MARKER = { start: 0, end: 1, event: 2, anomaly: 3 };

let native = null;
let reason = null;

if (/^(0|false|no|off)$/i.test(process.env.SIDECAR_ENABLED ?? '')) {
  reason = 'switched off by SIDECAR_ENABLED';
} else {
  try {
    native = require(path.join(__dirname, '..', 'sidecar_native.node'));
  } catch (error) {
    reason = `the addon can't be loaded: ${error && error.message}`;
  }
}

/** Whether somebody listens to a marker. */
function listening(marker) {
  return native !== null && native.enabled(marker);
}

module.exports = { MARKER, native, reason, listening };
