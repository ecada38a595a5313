import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadScript } from './load.ts';

const fresh = await loadScript<{
  filesBelow(directory: string, top: string): readonly string[];
  fingerprint(directory: string, sources: readonly string[], also?: string): string;
  isFresh(directory: string, stamp: string, print: string, outputs: readonly string[]): boolean;
  markFresh(directory: string, stamp: string, print: string): void;
}>('lib/fresh.mjs');
const { chooseTests } = await loadScript<{
  chooseTests(outputs: readonly string[], wanted: { long: boolean; only: RegExp }): readonly string[];
}>('lib/tests.mjs');
const { pinFaults } = await loadScript<{
  pinFaults(packageJson: unknown, lockFile: unknown): readonly string[];
}>('lib/pins.mjs');

describe('the build', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-build-'));
  after(() => rmSync(directory, { recursive: true }));

  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  };
  const print = (also?: string) => fresh.fingerprint(directory, fresh.filesBelow(directory, 'src'), also);

  it('is repeated when a source is written, added or removed, or the compiler changes', () => {
    write('src/a.ts', 'one');
    write('src/deep/b.ts', 'two');
    const before = print('20');
    assert.equal(print('20'), before);
    assert.notEqual(print('22'), before);

    write('src/c.ts', 'three');
    assert.notEqual(print('20'), before, 'added');
    rmSync(join(directory, 'src/c.ts'));
    assert.equal(print('20'), before);

    utimesSync(join(directory, 'src/a.ts'), 1, 1);
    assert.notEqual(print('20'), before, 'an older version put back');
  });

  it('is not skipped without its stamp, with another one, or when its output is missing', () => {
    write('dist/main.js', '');
    const isFresh = (mark: string) => fresh.isFresh(directory, 'dist/.built', mark, ['dist/main.js']);
    assert.equal(isFresh('x'), false);
    fresh.markFresh(directory, 'dist/.built', 'x');
    assert.equal(isFresh('x'), true);
    assert.equal(isFresh('y'), false);
    rmSync(join(directory, 'dist/main.js'));
    assert.equal(isFresh('x'), false);
  });
});

describe('the choice of tests', () => {
  const outputs = [
    'dist/test/e2e/sudo.test.js',
    'dist/test/long/kills.test.js',
    'dist/test/native/fuzz.test.js',
    'dist/test/other/x.test.js',
    'dist/test/support/rig.js',
    'dist/test/unit/b.test.js',
    'dist/test/unit/a.test.js',
    'dist/test/unit/a.test.js.map',
  ];

  it('is all but the long ones', () => {
    assert.deepEqual(chooseTests(outputs, { long: false, only: /(?:)/ }), [
      'dist/test/e2e/sudo.test.js',
      'dist/test/native/fuzz.test.js',
      'dist/test/other/x.test.js',
      'dist/test/unit/a.test.js',
      'dist/test/unit/b.test.js',
    ]);
  });

  it('is only the long ones, or those whose path matches', () => {
    assert.deepEqual(chooseTests(outputs, { long: true, only: /(?:)/ }), ['dist/test/long/kills.test.js']);
    assert.deepEqual(chooseTests(outputs, { long: false, only: /unit\/b/ }), ['dist/test/unit/b.test.js']);
    assert.deepEqual(chooseTests(outputs, { long: false, only: /nothing/ }), []);
  });
});

describe('the pins', () => {
  it('are exact versions and checksums, without download locations', () => {
    const lock = (entry: object) => ({
      packages: { '': {}, 'node_modules/x': { integrity: 'sha512-x', ...entry } },
    });
    assert.deepEqual(pinFaults({ dependencies: { x: '1.2.3' } }, lock({})), []);
    for (const version of ['^1.2.3', '~1.2.3', '1.2', '*', 'latest', '>=1.0.0', 'file:../x', 'github:x/y']) {
      assert.equal(pinFaults({ devDependencies: { x: version } }, lock({})).length, 1, version);
    }
    assert.equal(pinFaults({}, lock({ resolved: 'https://example.org/x.tgz' })).length, 1);
    assert.equal(pinFaults({}, lock({ integrity: undefined })).length, 1);
    assert.deepEqual(pinFaults({}, lock({ dependencies: { x: '1.2.3' } })), []);
    assert.equal(pinFaults({}, lock({ optionalDependencies: { 'x-darwin': '1.2.3' } })).length, 1);
  });
});
