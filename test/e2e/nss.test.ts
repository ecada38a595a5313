import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hotp } from '../support/codes.ts';
import { must, run } from '../support/rig/commands.ts';
import { repository } from '../support/rig/layout.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson } from '../support/rig/people.ts';
import { pamApp, prepare, scenario } from '../support/rig/scenario.ts';
import { writeProvenStack } from '../support/rig/stack.ts';

/** A name service that fails moves no account to a less strict realm, and allows no login. */
const realms = `
[[realm]]
name = "ops"
members = { groups = ["remote-ops"] }
require = "any"

[[realm]]
name = "rest"
require = "none"
`;
const systemErr = 4;
const authErr = 7;
const modeFile = `${work}/nss-mode`;
const setMode = (mode: string): void => writeFileSync(modeFile, `${mode}\n`);

function installSource(): void {
  const directory = `${work}/nss`;
  mkdirSync(directory);
  const source = `${repository}/test/native/nss_slow.c`;
  const output = `${directory}/libnss_slow.so.2`;
  must('cc', [
    '-shared',
    '-fPIC',
    '-O1',
    `-DMODE_FILE="${modeFile}"`,
    '-Wl,-soname,libnss_slow.so.2',
    source,
    '-o',
    output,
  ]);
  setMode('ok');
  const switches = readFileSync('/etc/nsswitch.conf', 'utf8');
  writeFileSync('/etc/nsswitch.conf', switches.replace(/^(passwd|group):.*$/gm, '$1: files slow'));
  writeFileSync('/etc/ld.so.conf.d/00-rig.conf', `${directory}\n`);
  must('ldconfig', []);
}

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  await product.stop();
  installSource();
  await product.start();
  writeProvenStack('code');
  addPerson('alice');
  const logIn = async (user: string, ...answers: string[]): Promise<number | null> =>
    (await run(pamApp, ['code', user, ...answers])).status;

  scenario(product, 'while the directory service answers, its groups decide', async () => {
    setMode('ok');
    assert.equal(await logIn('remote-anna'), authErr, 'a member without a factor');
    assert.equal(await logIn('alice'), 0, 'no member');
    const secret = await product.addHotp('remote-anna');
    assert.equal(await logIn('remote-anna', hotp(secret, 0)), 0);
    setMode('slow 700');
    assert.equal(await logIn('remote-anna', hotp(secret, 1)), 0, 'slow is not away');
  });

  for (const mode of ['unavail', 'tryagain', 'no-socket', 'gone', 'no-initgroups']) {
    scenario(product, `${mode}: no account is passed on to a less strict realm`, async () => {
      setMode(mode);
      const anna = await logIn('remote-anna');
      assert.ok(anna === systemErr || anna === authErr, `remote-anna: ${anna}`);
      assert.equal(await logIn('alice'), systemErr, 'an account of this machine whose groups cannot be told');
      setMode('ok');
      assert.equal(await logIn('alice'), 0, 'and all is well again');
    });
  }

  for (const mode of ['unavail', 'tryagain', 'no-socket']) {
    scenario(product, `${mode}: the check of the configuration reports the group as unknown`, async () => {
      setMode('ok');
      assert.equal((await product.cli(['realm', 'check'])).stderr, '');
      setMode(mode);
      const checked = await product.cli(['realm', 'check']);
      assert.equal(checked.status, 0);
      assert.match(
        checked.stderr,
        /:\d+: the realm "ops" names the group remote-ops; it is not known whether it exists/,
      );
      assert.doesNotMatch(checked.stderr, /does not exist|did you mean/);
      const explained = await product.cli(['explain', 'alice', '--service', 'sshd']);
      assert.match(explained.stderr, /remote-ops; it is not known whether it exists/);
      assert.equal((await product.cli(['reload'])).status, 0, 'that file is in force already');
      setMode('ok');
    });
  }

  scenario(
    product,
    'a group that does not exist asks for confirmation before it refuses all logins',
    async () => {
      setMode('ok');
      product.writeRealms(realms.replaceAll('remote-ops', 'daemonn'));
      const checked = await product.cli(['realm', 'check']);
      assert.match(checked.stderr, /:\d+: .*group daemonn, which does not exist; did you mean daemon\?/);
      const refused = await product.cli(['reload']);
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, /nothing was changed: every login .* would be refused.*--yes/);
      assert.equal(await logIn('alice'), 0, 'the file of before is in force');
      await product.must(['reload', '--yes']);
      assert.equal(await logIn('alice'), systemErr);
      assert.equal((await product.cli(['reload'])).status, 0, 'it gets no worse by the same file');
      product.writeRealms(realms);
      await product.must(['reload']);
      assert.equal(await logIn('alice'), 0);
    },
  );

  scenario(product, 'hang: refused in time, and working again afterwards', async () => {
    setMode('hang');
    assert.equal(await logIn('alice'), systemErr);
    const status = await product.cli(['status']);
    assert.equal(status.status, 0, 'the daemon answers meanwhile');
    setMode('ok');
    assert.equal(await logIn('alice'), 0);
  });

  scenario(product, 'a group that disappears from the machine', async () => {
    setMode('ok');
    product.writeRealms(realms.replaceAll('remote-ops', 'local-ops'));
    appendFileSync('/etc/group', 'local-ops:x:4900:alice\n');
    await product.must(['reload']);
    assert.equal(await logIn('alice'), authErr, 'a member without a factor');
    writeFileSync('/etc/group', readFileSync('/etc/group', 'utf8').replace(/^local-ops:.*\n/m, ''));
    assert.equal(await logIn('alice'), systemErr);
  });
});
