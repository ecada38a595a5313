import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { hotp, totp } from '../support/codes.ts';
import { run } from '../support/rig/commands.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson } from '../support/rig/people.ts';
import { pamApp, prepare, scenario } from '../support/rig/scenario.ts';
import { writeProvenStack } from '../support/rig/stack.ts';

/** Rule 12: a clock that was set back voids what allows logins and keeps what refuses them, with a clear reason. */
const realms = `
[[realm]]
name = "late"
members = { uids = ["5000-5999"] }
require = "any"
enrol = "grace"
grace = "2h"

[[realm]]
name = "all"
require = "any"
lockout = { max_code_failures = 2, max_failures = 3, duration = "2h" }

  [[realm.rule]]
  services = ["remembered"]
  action = { remember = "2h" }
`;
/** Allowed without a prompt: the daemon answered IGNORE, and pam_permit accepted. */
const notAsked = 0;
const authErr = 7;
const maxTries = 11;
const hour = 3_600_000;
const offsetFile = `${work}/clock-offset`;

/** Shifts only the clock of the daemon; the library reads the offset at each call. */
const fakeClock = {
  LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  FAKETIME_TIMESTAMP_FILE: offsetFile,
  FAKETIME_NO_CACHE: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
};

let offset = 0;
function setClock(hours: number): void {
  offset = hours * hour;
  writeFileSync(offsetFile, `${hours < 0 ? '' : '+'}${hours}h\n`);
}
const daemonNow = (): number => Date.now() + offset;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  for (const service of ['code', 'remembered']) writeProvenStack(service);
  await product.stop();
  setClock(0);
  await product.start(fakeClock);

  const logIn = async (service: string, user: string, ...answers: string[]): Promise<number | null> =>
    (await run(pamApp, ['--rhost', '192.0.2.1', service, user, ...answers])).status;
  /** Reason of the last refusal; the end of the call follows it. */
  const lastReason = async (user: string): Promise<string> => {
    const lines = (await product.must(['audit', '--user', user, '--limit', '5', '--json']))
      .trim()
      .split('\n');
    const events = lines.map((line): { outcome: string; reason: string } => JSON.parse(line));
    return events.findLast((event) => event.outcome === 'refused')?.reason ?? 'none';
  };

  scenario(
    product,
    'back an hour: codes before the last-used counter are refused, and the reason is stated',
    async () => {
      setClock(0);
      addPerson('alice');
      const secret = await product.addTotp('alice');
      assert.equal(await logIn('code', 'alice', totp(secret, { at: daemonNow() })), 0);
      setClock(-1);
      assert.equal(await logIn('code', 'alice', totp(secret, { at: daemonNow() })), authErr);
      assert.equal(await lastReason('alice'), 'clock');
      setClock(0);
      assert.equal(await logIn('code', 'alice', totp(secret, { at: daemonNow(), step: 1 })), 0);
    },
  );

  scenario(product, 'back an hour: HOTP, which does not depend on the clock, still works', async () => {
    setClock(0);
    addPerson('bob');
    const secret = await product.addHotp('bob');
    assert.equal(await logIn('code', 'bob', hotp(secret, 0)), 0);
    setClock(-1);
    assert.equal(await logIn('code', 'bob', hotp(secret, 0)), authErr);
    assert.equal(await logIn('code', 'bob', hotp(secret, 1)), 0);
  });

  scenario(product, 'back an hour: grants and a grace period are void', async () => {
    setClock(0);
    addPerson('carol');
    const secret = await product.addHotp('carol');
    assert.equal(await logIn('remembered', 'carol', hotp(secret, 0)), 0);
    assert.equal(await logIn('remembered', 'carol'), notAsked, 'it is remembered');
    addPerson('dave', 5001);
    assert.equal(await logIn('code', 'dave'), notAsked, 'the grace period begins');
    setClock(-1);
    assert.notEqual(await logIn('remembered', 'carol'), notAsked);
    assert.equal(await logIn('code', 'dave'), authErr);
    assert.equal(await lastReason('dave'), 'grace-clock');
    setClock(3);
    assert.notEqual(await logIn('remembered', 'carol'), notAsked, 'and over after its two hours');
    assert.equal(await logIn('code', 'dave'), authErr);
    assert.equal(await lastReason('dave'), 'grace-expired');
  });

  scenario(
    product,
    'a lockout survives a clock set back, and lasts at most its duration from then on',
    async () => {
      setClock(0);
      addPerson('erin');
      const secret = await product.addHotp('erin');
      const [key = ''] = await product.addRecovery('erin');
      const wrong = '22222-22222-22222-22222';
      assert.equal(
        await logIn('code', 'erin', wrong, wrong.replaceAll('2', '3'), wrong.replaceAll('2', '4')),
        maxTries,
      );
      assert.equal(await logIn('code', 'erin', key), maxTries, 'everything is locked');
      setClock(-24);
      assert.equal(await logIn('code', 'erin', key), maxTries);
      setClock(-23);
      assert.equal(await logIn('code', 'erin', key), maxTries);
      setClock(-21);
      assert.equal(await logIn('code', 'erin', hotp(secret, 0)), 0, 'two hours after it was set back');
    },
  );

  scenario(product, 'forward a day: codes of that day are accepted', async () => {
    setClock(0);
    addPerson('frank');
    const secret = await product.addTotp('frank');
    assert.equal(await logIn('code', 'frank', totp(secret, { at: daemonNow() })), 0);
    setClock(24);
    assert.equal(await logIn('code', 'frank', totp(secret, { at: daemonNow() })), 0);
    assert.equal(await logIn('code', 'frank', totp(secret, { at: daemonNow() })), authErr);
  });
});
