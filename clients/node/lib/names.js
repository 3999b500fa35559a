// Names tests: the file as seen from the folder of the run, then each suite and the test, joined by `::`.
'use strict';

const path = require('node:path');
const { fileURLToPath } = require('node:url');

/** A file as seen from a folder; a file elsewhere keeps its whole path. */
function file(name, folder = process.cwd()) {
  if (!name) return '';
  const absolute = String(name).startsWith('file://') ? fileURLToPath(name) : String(name);
  const relative = path.relative(folder, absolute);
  return relative.startsWith('..') || relative === '' ? absolute : relative;
}

/** An id of its parts. */
const id = (...parts) => parts.filter((part) => part !== '' && part !== undefined).join('::');

/** Tells tests of one name apart: the second is `NAME #2`. */
class Distinct {
  #seen = new Map();

  of(name) {
    const count = (this.#seen.get(name) ?? 0) + 1;
    this.#seen.set(name, count);
    return count === 1 ? name : `${name} #${count}`;
  }
}

module.exports = { Distinct, file, id };
