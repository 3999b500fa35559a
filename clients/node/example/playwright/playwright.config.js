// The one line that Playwright Test needs, and retries.
module.exports = { reporter: [['list'], ['sidecar-node/playwright']], retries: 1, workers: 2, fullyParallel: true };
