/**
 * @param {string[]} outputs paths below dist/test
 * @param {{ long: boolean, only: RegExp }} wanted `only`: for the path
 * @returns {string[]} the test files to run; `node --test` sorts them by path
 */
export function chooseTests(outputs, { long, only }) {
  return outputs
    .filter((path) => path.endsWith('.test.js'))
    .filter((path) => path.startsWith('dist/test/long/') === long)
    .filter((path) => only.test(path))
    .sort();
}
