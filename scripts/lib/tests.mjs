/** Order: quick tests that are close to the cause first; whole logins last. */
const order = ['unit', 'native', 'module', 'fido', 'password', 'portal', 'e2e'];

/**
 * @param {string[]} outputs paths below dist/test
 * @param {{ long: boolean, only: RegExp }} wanted `only`: for the path
 * @returns {string[]} the test files to run, in order
 */
export function chooseTests(outputs, { long, only }) {
  return outputs
    .filter((path) => path.endsWith('.test.js'))
    .filter((path) => path.startsWith('dist/test/long/') === long)
    .filter((path) => only.test(path))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function rank(path) {
  const place = order.indexOf(path.split('/')[2]);
  return place < 0 ? order.length - 2 : place;
}
