import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { projectRoot } from '../../support/project.ts';
import { loadScript } from './load.ts';

interface Found {
  readonly status: string;
  readonly branch: string;
  readonly tags: readonly string[];
  readonly packageJson: { readonly version: string };
  readonly lockFile: {
    readonly version: string;
    readonly packages: Readonly<Record<string, { readonly version: string }>>;
  };
  readonly changelog: string;
  readonly today: string;
}

const { releaseFaults, notesOf } = await loadScript<{
  releaseFaults(found: Found): readonly string[];
  notesOf(version: string, changelog: string): string;
}>('lib/release.mjs');

const changelog = `# Changelog

## [Unreleased]

## [1.2.0] - 2026-01-30

### Added

- A thing.

## [1.1.0] - 2025-12-01

- Older.
`;

const good: Found = {
  status: '',
  branch: 'main',
  tags: ['v1.1.0'],
  packageJson: { version: '1.2.0' },
  lockFile: { version: '1.2.0', packages: { '': { version: '1.2.0' } } },
  changelog,
  today: '2026-01-31',
};

const faultsOf = (changed: Partial<Found>) => releaseFaults({ ...good, ...changed });

describe('a release', () => {
  it('may be made from a clean main whose versions and changelog agree', () => {
    assert.deepEqual(faultsOf({}), []);
    const candidate = '1.2.0-rc.1';
    const lockFile = { version: candidate, packages: { '': { version: candidate } } };
    const log = changelog.replace('[1.2.0]', `[${candidate}]`);
    assert.deepEqual(faultsOf({ packageJson: { version: candidate }, lockFile, changelog: log }), []);
  });

  const refused: Readonly<Record<string, readonly [Partial<Found>, RegExp]>> = {
    'an uncommitted change': [
      { status: ' M daemon/main.ts\n?? x\n' },
      /2 uncommitted changes.*daemon\/main\.ts/,
    ],
    'another branch': [{ branch: 'topic' }, /branch is topic/],
    'no branch': [{ branch: '' }, /detached/],
    'a tag that exists': [{ tags: ['v1.2.0'] }, /tag v1\.2\.0 exists/],
    'a lock file of another version': [
      { lockFile: { version: '1.1.0', packages: { '': { version: '1.2.0' } } } },
      /package-lock\.json says 1\.1\.0/,
    ],
    'a lock file whose package has another version': [
      { lockFile: { version: '1.2.0', packages: { '': { version: '1.1.0' } } } },
      /package-lock\.json says 1\.1\.0/,
    ],
    'a version in another form': [{ packageJson: { version: '1.2' } }, /1\.2 is not a version/],
    'no section of its own': [
      { changelog: changelog.replace('[1.2.0]', '[1.2.1]') },
      /no section \[1\.2\.0\]/,
    ],
    'no section for the next changes': [
      { changelog: changelog.replace('## [Unreleased]\n\n', '') },
      /first section is not \[Unreleased\]/,
    ],
    'a section without a date': [{ changelog: changelog.replace(' - 2026-01-30', '') }, /no date/],
    'a section of tomorrow': [{ changelog: changelog.replace('2026-01-30', '2026-02-01') }, /no date/],
    'an empty section': [{ changelog: changelog.replace('### Added\n\n- A thing.\n', '') }, /is empty/],
    'a section below another': [
      { changelog: changelog.replace('## [1.2.0]', '## [1.3.0] - 2026-01-31\n\n## [1.2.0]') },
      /not the newest/,
    ],
  };
  for (const [name, [changed, expected]] of Object.entries(refused))
    it(`is refused with ${name}`, () => {
      assert.match(faultsOf(changed).join('\n'), expected);
    });

  it('takes its notes from the changelog', () => {
    assert.equal(notesOf('1.2.0', changelog), '### Added\n\n- A thing.');
  });
});

describe('CHANGELOG.md', () => {
  it('begins with [Unreleased], and uses the headings of Keep a Changelog', () => {
    const page = readFileSync(join(projectRoot, 'CHANGELOG.md'), 'utf8');
    assert.equal(/^## (.+)$/m.exec(page)?.[1], '[Unreleased]');
    for (const [, heading = ''] of page.matchAll(/^### (.+)$/gm))
      assert.match(heading, /^(Added|Changed|Deprecated|Removed|Fixed|Security)$/);
  });
});
