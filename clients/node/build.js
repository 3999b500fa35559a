// Compiles the addon: node build.js LIBSIDECAR_MARKERS.A INCLUDE_FOLDER_OF_SIDECAR.H. Needs a C compiler, no node-gyp.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

/** Where node_api.h is: the package node-api-headers, else beside the running node. */
function nodeHeaders() {
  try {
    return require('node-api-headers').include_dir;
  } catch {
    const beside = path.resolve(path.dirname(process.execPath), '..', 'include', 'node');
    if (fs.existsSync(path.join(beside, 'node_api.h'))) return beside;
    throw new Error('node_api.h is missing: run `npm ci` here, which brings node-api-headers');
  }
}

const [library, include] = process.argv.slice(2);
if (!library || !include) {
  console.error('usage: node build.js LIBSIDECAR_MARKERS.A INCLUDE_FOLDER_OF_SIDECAR.H');
  process.exit(2);
}
const compiler = process.env.CC || 'cc';
const out = path.join(__dirname, 'sidecar_native.node');
// Beside and then in its place: a running node may have the old one mapped.
const fresh = `${out}.${process.pid}`;
execFileSync(compiler, [
  '-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared', '-fvisibility=hidden',
  '-I', nodeHeaders(), '-I', include, '-o', fresh, path.join(__dirname, 'native', 'sidecar_native.c'), library,
  '-Wl,--gc-sections', '-Wl,--exclude-libs,ALL',
], { stdio: 'inherit' });
fs.renameSync(fresh, out);
