// Makes text of what a caller passes, whatever it is, and keeps it within what a marker carries.
'use strict';

/** Bytes of data that a marker carries whole. */
const LIMIT = 1024;
/** The longest piece of a value that is kept where all of it is too long. */
const SHORTENED = 200;

/** How often data could not be written as JSON and was kept as text. */
const counted = { kept_as_text: 0 };

/** JSON without lone surrogates, which JSON.stringify writes as escapes that other readers refuse. */
function wellFormed(json) {
  return json.replace(/\\\\|\\ud[89a-f][0-9a-f]{2}/g, (found) => (found === '\\\\' ? found : '\ufffd'));
}

/** A value as text: a string as it is, all else as JSON, and what JSON can't say (BigInt, cycles) as plain text. */
function toText(value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  try {
    const json = JSON.stringify(value);
    if (json !== undefined) return wellFormed(json);
  } catch {
    // Counted below, like what JSON.stringify passes over.
  }
  counted.kept_as_text += 1;
  return plain(value);
}

/** A value's own text, or that it has none. */
function plain(value) {
  try {
    return String(value);
  } catch {
    return '(a value without a text)';
  }
}

const size = (json) => Buffer.byteLength(json);

/** An object of strings, numbers and lists as JSON of at most 1 KiB: the longest members are shortened, then left out. */
function fit(members) {
  const kept = { ...members };
  for (;;) {
    const json = wellFormed(JSON.stringify(kept));
    if (size(json) <= LIMIT) return json;
    const lengths = Object.entries(kept).map(([name, value]) => [name, size(JSON.stringify(value) ?? '')]);
    lengths.sort((a, b) => b[1] - a[1]);
    const [name] = lengths[0];
    const value = kept[name];
    if (typeof value === 'string' && value.length > SHORTENED) kept[name] = value.slice(0, SHORTENED);
    else delete kept[name];
  }
}

module.exports = { counted, fit, plain, toText };
