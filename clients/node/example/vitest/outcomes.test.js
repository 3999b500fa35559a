// A test of every outcome under Vitest, with retries. Several fail, on purpose.
import { describe, expect, test } from 'vitest';

let attempts = 0;

describe('a suite', () => {
  test('passes', () => new Promise((done) => setTimeout(done, 30)));
  test('fails', () => expect(1).toBe(2));
  test('passes at the third try', { retry: 2 }, () => {
    attempts += 1;
    if (attempts < 3) throw new Error(`try ${attempts}`);
  });
  test.skip('is skipped', () => {});
  test.todo('is to be done');
  test('skips itself', (context) => context.skip('found none'));
  test.fails('fails as expected', () => {
    throw new Error('expected');
  });
  test('times out', () => new Promise(() => {}), 50);
  test('has a namesake', () => {});
  test('has a namesake', () => {});
});
