// A file whose process ends in the middle: node:test reports the file itself.
import test from 'node:test';

test('ends its process', () => process.exit(3));
