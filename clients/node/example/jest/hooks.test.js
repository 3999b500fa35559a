// A test whose set-up fails, and the only one that runs besides.
describe('a broken set-up', () => {
  beforeAll(() => {
    throw new Error('no server');
  });
  test('never runs', () => {});
});
test('runs', () => {});
