import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readConfig } from '../../../daemon/config/load.ts';
import { configError, describeProblem } from '../../../daemon/config/problem.ts';
import { initialConfig } from '../../../daemon/config/write.ts';
import { bad, good } from './support.ts';

async function repositoryRoot(): Promise<string> {
  let directory = import.meta.dirname;
  for (;;) {
    try {
      await readFile(join(directory, 'package.json'));
      return directory;
    } catch {
      assert.notEqual(directory, '/');
      directory = join(directory, '..');
    }
  }
}

describe('the configuration that init writes', () => {
  it('is valid, requires nothing, and uses the system paths', () => {
    const config = good(initialConfig());
    assert.equal(config.paths.store, '/var/lib/sallyport/store');
    assert.deepEqual(
      config.realms.map(({ name, require, members, rules }) => ({ name, require, members, rules })),
      [{ name: 'default', require: 'none', members: undefined, rules: [] }],
    );
  });

  for (const root of ['/tmp/x', '/tmp/with space', '/tmp/q"uote\\back', '/tmp/ü']) {
    it(`places everything below ${root}`, () => {
      assert.deepEqual(good(initialConfig(root)).paths, {
        store: `${root}/var/store`,
        anchor: `${root}/var/anchor`,
        masterKey: `${root}/etc/master.key`,
        lastGood: `${root}/var/last-good`,
        pamSocket: `${root}/run/pam.sock`,
        pamUserSocket: `${root}/run/pam-user.sock`,
        controlSocket: `${root}/run/control.sock`,
        fidoSocket: `${root}/run/fido.sock`,
        passwordSocket: `${root}/run/password.sock`,
      });
    });
  }

  it('names the built programs, only below a root', () => {
    const helpers = { fido: '/opt/fido', password: '/opt/password' };
    const { fidoHelper, passwordHelper, passwordServiceDir } = good(initialConfig('/tmp/x', helpers)).paths;
    assert.deepEqual(
      [fidoHelper, passwordHelper, passwordServiceDir],
      ['/opt/fido', '/opt/password', '/tmp/x/etc/pam.d'],
    );
    assert.equal(good(initialConfig('/tmp/x', { fido: '/f' })).paths.passwordServiceDir, undefined);
    assert.equal(good(initialConfig(undefined, helpers)).paths.passwordHelper, undefined);
  });

  it('is valid with each of its comments uncommented, which sets the intended table', () => {
    for (const root of [undefined, '/tmp/x']) {
      const text = initialConfig(root);
      assert.equal(
        good(text.replace('# admin_group = "sallyport-admin"', 'admin_group = "ops"')).adminGroup,
        'ops',
      );
      assert.equal(good(text.replace('# issuer = "', 'issuer = "of-')).issuer, 'of-example.org');
      const all = text.replaceAll(/^# (\w+ *= )/gm, '$1').replaceAll(/^# (\[\w+\])$/gm, '$1');
      assert.equal(good(all).portal?.origins.length, 1);
    }
  });

  it("names pages and the sample by paths of the package if it is the system's", () => {
    const system = initialConfig();
    for (const name of ['reference/configuration', 'reference/factors', 'how-to/set-up-portal'])
      assert.match(system, new RegExp(`[ (]/usr/share/doc/sallyport/docs/${name}\\.md`));
    assert.match(system, / \/usr\/lib\/sallyport\/pam-config\/sallyport\.toml\.sample\./);
    assert.doesNotMatch(system, /[ (]docs\//);
    assert.match(initialConfig('/tmp/x'), / docs\/reference\/configuration\.md/);
  });

  it('is refused when the root is too long for a socket', () => {
    const problems = bad(initialConfig(`/${'r'.repeat(93)}`));
    assert.deepEqual(
      problems.map(({ key }) => key),
      ['paths.pam_user_socket', 'paths.control_socket', 'paths.fido_socket', 'paths.password_socket'],
    );
  });
});

describe('the sample configuration', async () => {
  const file = join(await repositoryRoot(), 'pam-config', 'sallyport.toml.sample');
  const sample = await readFile(file, 'utf8');

  it('is valid, and shows every setting', () => {
    const config = good(sample);
    assert.deepEqual(
      config.realms.map(({ name }) => name),
      ['break-glass', 'staff', 'vault', 'contractors', 'default'],
    );
    for (const key of [
      'grace',
      'grace_until',
      'totp',
      'lockout',
      'yubikey',
      'webauthn',
      'rp_id',
      'su',
      'services',
      'from',
      'max_events',
      'issuer',
    ]) {
      assert.match(sample, new RegExp(`^ *${key} *=`, 'm'), key);
    }
  });
});

describe('a configuration file', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-config-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('is read and keeps its name', async () => {
    const file = join(directory, 'good.toml');
    await writeFile(file, initialConfig(directory));
    const parsed = await readConfig(file, 'host.example');
    assert.ok(parsed.ok);
    assert.equal(parsed.config.file, file);
  });

  it('that is invalid becomes one error with every problem', async () => {
    const file = join(directory, 'bad.toml');
    await writeFile(file, 'issuer = ":"\nnonsense = 1\n');
    const parsed = await readConfig(file, 'host.example');
    assert.ok(!parsed.ok);
    const error = configError(parsed.problems);
    assert.equal(error.code, 'config-bad');
    for (const problem of parsed.problems) assert.ok(error.message.includes(describeProblem(problem)));
    assert.ok(parsed.problems.every((problem) => problem.file === file));
  });

  it('that does not exist is an error that says what to do', async () => {
    await assert.rejects(readConfig(join(directory, 'none.toml'), 'h'), {
      code: 'config-unreadable',
      message: /--config/,
    });
  });
});
