import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadScript } from './load.ts';

interface Package {
  readonly name: string;
  readonly why: string;
  readonly purpose: string;
  readonly file: string | null;
}

interface Found {
  readonly packages: readonly Package[];
  readonly modules: boolean;
  readonly debian: boolean;
  readonly root: boolean;
  readonly ci: boolean;
  readonly terminal: boolean;
}

interface Plan {
  nodeComplaint(version: string): string | undefined;
  isDebianLike(osRelease: string): boolean;
  decide(found: Found): string;
  aptCommand(packages: readonly Package[], root: boolean): string;
  missingLines(found: Found): readonly string[];
  missingFrom(dpkgOutput: string, wanted: readonly Package[]): readonly Package[];
}

const plan = await loadScript<Plan>('lib/plan.mjs');
const { packagesFor } = await loadScript<{
  packagesFor: Readonly<Record<'start' | 'test' | 'bench', readonly Package[]>>;
}>('lib/packages.mjs');

const { start } = packagesFor;
const person: Found = {
  packages: start,
  modules: true,
  debian: true,
  root: false,
  ci: false,
  terminal: true,
};

describe('the decision about missing packages', () => {
  it('is nothing when none is missing', () => {
    for (const root of [true, false]) {
      const found = { ...person, packages: [], modules: false, root, debian: root, terminal: root };
      assert.equal(plan.decide(found), 'go');
    }
  });

  it('is to ask a user at a terminal, for npm packages too', () => {
    assert.equal(plan.decide(person), 'ask');
    assert.equal(plan.decide({ ...person, packages: [] }), 'ask');
    assert.equal(plan.decide({ ...person, packages: [], debian: false }), 'ask');
  });

  it('is to ask root at a terminal too', () => {
    assert.equal(plan.decide({ ...person, root: true }), 'ask');
    assert.equal(plan.decide({ ...person, root: true, packages: [] }), 'ask');
  });

  it('is to continue as root without a terminal', () => {
    for (const terminal of [true, false])
      assert.equal(plan.decide({ ...person, root: true, terminal, ci: true }), 'install');
    assert.equal(plan.decide({ ...person, root: true, terminal: false }), 'install');
  });

  it('is to stop without a terminal if the machine would change', () => {
    assert.equal(plan.decide({ ...person, terminal: false }), 'stop');
    assert.equal(plan.decide({ ...person, ci: true }), 'stop');
    assert.equal(
      plan.decide({ ...person, packages: [], terminal: false }),
      'install',
      'the own directory only',
    );
  });

  it('is to stop on other systems, root or not', () => {
    for (const root of [true, false])
      assert.equal(plan.decide({ ...person, debian: false, root }), 'foreign');
  });
});

describe('messages', () => {
  it('name each package with its reason, on other systems with its purpose', () => {
    const lines = plan.missingLines(person).join('\n');
    assert.match(lines, /libpam0g-dev: .*libpam/);
    assert.match(lines, /node_modules: /);
    const foreign = plan.missingLines({ ...person, debian: false, modules: false }).join('\n');
    assert.match(foreign, /the headers of Linux-PAM/);
    assert.doesNotMatch(foreign, /libpam0g-dev|node_modules/);
  });

  it('contain a command that can be copied', () => {
    const names = 'python3 make g++ libpam0g-dev libfido2-dev';
    assert.equal(plan.aptCommand(start, false), `sudo apt-get install -y --no-install-recommends ${names}`);
    assert.equal(plan.aptCommand(start, true), `apt-get install -y --no-install-recommends ${names}`);
  });

  it('tell users of an old Node which version is needed', () => {
    for (const version of ['18.20.4', '20.18.9', '8.0.0']) {
      assert.match(plan.nodeComplaint(version) ?? '', /too old.*20\.19/, version);
    }
    for (const version of ['20.19.0', '20.20.2', '22.0.0', '100.1.0']) {
      assert.equal(plan.nodeComplaint(version), undefined, version);
    }
  });
});

describe('the examination of the machine', () => {
  it('counts a package only when dpkg reports it as installed', () => {
    const output = 'python3 installed\nmake config-files\ng++ installed\n';
    assert.deepEqual(
      plan.missingFrom(output, start).map((wanted) => wanted.name),
      ['make', 'libpam0g-dev', 'libfido2-dev'],
    );
    assert.deepEqual(plan.missingFrom('', start), start);
  });

  it('recognises Debian and its derivatives', () => {
    for (const text of [
      'ID=debian',
      'ID=ubuntu\nID_LIKE=debian',
      'NAME=x\nID=mint\nID_LIKE="ubuntu debian"',
    ]) {
      assert.equal(plan.isDebianLike(text), true, text);
    }
    for (const text of ['ID=fedora', 'ID=arch\nNAME="not debian"', 'ID="rhel"\nID_LIKE="fedora"', '']) {
      assert.equal(plan.isDebianLike(text), false, text);
    }
  });

  it('lists no package twice, and includes what start needs everywhere', () => {
    for (const packages of Object.values(packagesFor)) {
      const names = packages.map((wanted) => wanted.name);
      assert.equal(new Set(names).size, names.length);
      for (const { name } of start) assert.ok(names.includes(name), name);
      for (const { why, purpose } of packages) assert.ok(why !== '' && purpose !== '');
    }
  });
});
