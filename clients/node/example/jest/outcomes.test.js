// A test of every outcome under Jest, with retries. Several fail, on purpose.
'use strict';

jest.retryTimes(2);
let attempts = 0;

describe('a suite', () => {
  test('passes', () => new Promise((done) => setTimeout(done, 30)));
  test('fails', () => expect(1).toBe(2));
  test('passes at the third attempt', () => {
    attempts += 1;
    if (attempts < 3) throw new Error(`attempt ${attempts}`);
  });
  test.skip('is skipped', () => {});
  test.todo('is to be done');
  test.failing('fails as expected', () => {
    throw new Error('expected');
  });
  test('times out', () => new Promise(() => {}), 50);
  test.each([1, 2])('is one of several: %i', () => {});
  test('has a namesake', () => {});
  test('has a namesake', () => {});
});
