// A test of every outcome under node:test. Several fail, on purpose.
import assert from 'node:assert';
import test, { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { event } from 'sidecar-node';

test('passes', async () => {
  event('cart', { items: 3 }, { testId: 'outcomes.test.mjs::passes' });
  await sleep(20);
});
test('fails', () => assert.strictEqual(1, 2, 'one is not two'));
test('is skipped', { skip: 'no database' }, () => {});
test('skips itself', (t) => t.skip('found none'));
test('is to be done, and fails', { todo: 'later' }, () => {
  throw new Error('not yet');
});
test('is to be done, and passes', { todo: true }, () => {});
test('times out', { timeout: 30 }, () => sleep(300));
test('has subtests', async (t) => {
  await t.test('one', () => {});
  await t.test('one', () => {
    throw new Error('of the second of this name');
  });
});
describe('a suite', () => {
  it('holds a test', () => {});
  describe('and a suite', { concurrency: 2 }, () => {
    it('that is slow', () => sleep(50));
    it('that throws no error', () => {
      throw 5;
    });
  });
});
test('größe 日本 \ud800 & <more>', () => {});
