// The one line that Vitest needs.
export default { test: { reporters: ['default', 'sidecar-node/vitest'] } };
