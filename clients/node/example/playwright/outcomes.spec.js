// A test of every outcome under Playwright Test, with retries and without a browser. Several fail, on purpose.
const { expect, test } = require('@playwright/test');

test.describe('a suite', () => {
  test('passes', { tag: '@quick' }, () => new Promise((done) => setTimeout(done, 30)));
  test('fails', () => expect(1).toBe(2));
  test('passes at the second attempt', ({}, info) => {
    if (info.retry < 1) throw new Error('the first');
  });
  test.skip('is skipped', () => {});
  test('skips itself', () => test.skip(true, 'found none'));
  test('fails as expected', () => {
    test.fail();
    throw new Error('expected');
  });
  test('times out', () => {
    test.setTimeout(100);
    return new Promise(() => {});
  });
});
