import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createValidationClient } from '../../daemon/authenticators/yubikey-otp-validation.ts';
import { createClient } from '../../daemon/client/client.ts';
import { drive } from '../support/drive.ts';
import { must, until } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson } from '../support/rig/people.ts';
import { controlSocket } from '../support/rig/product.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { writeProvenStack } from '../support/rig/stack.ts';
import { newYubikey, otp } from '../support/yubikey.ts';

const port = 18_000;
const server = `http://127.0.0.1:${port}/wsapi/2.0/verify`;

/**
 * The client against a third-party validation server: Debian's yubiserver, in a separate network, since it listens
 * everywhere. One request at a time: it mixes up concurrent ones.
 */
await inNamespace(import.meta.filename, async () => {
  const product = await prepare(`
[[realm]]
name = "all"
require = "any"
yubikey = { servers = ["${server}"], client_id = 1, key_file = "/etc/yubico.key" }
`);
  writeProvenStack('code');
  const key = randomBytes(15).toString('base64');
  const yubikey = newYubikey();
  let directory: string;
  const validate = (given: string, changes: { clientId?: string; key?: Buffer } = {}) =>
    createValidationClient({
      servers: [server],
      clientId: '1',
      key: Buffer.from(key),
      deadline: 5_000,
      ...changes,
    }).validate(given);

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-yubiserver-'));
    chmodSync(directory, 0o711);
    const database = join(directory, 'ys.sqlite');
    copyFileSync('/etc/yubiserver/yubiserver.sqlite.init', database);
    const { publicId, privateId, aesKey } = yubikey;
    const programmed = [publicId, privateId.toString('hex'), aesKey.toString('hex')];
    must('yubiserver-admin', ['-b', database, '-y', '-a', 'alice', ...programmed]);
    must('yubiserver-admin', ['-b', database, '-p', '-a', 'sallyport', key]);
    // It accepts replays, without an error, if it cannot write the directory of its database.
    must('chown', ['-R', 'yubiserver', directory]);
    must('yubiserver', ['-d', database, '-p', `${port}`, '-l', join(directory, 'ys.log')]);
    await until('yubiserver listens', async () => {
      const probe = connect(port, '127.0.0.1');
      const open = await new Promise<boolean>((resolve) => {
        probe.on('connect', () => resolve(true)).on('error', () => resolve(false));
      });
      probe.destroy();
      return open;
    });
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  test('yubiserver accepts a press once', async () => {
    const first = otp({ use: 1, session: 1 }, yubikey);
    assert.deepEqual(await validate(first), { outcome: 'valid' });
    assert.deepEqual(await validate(first), { outcome: 'refused', reason: 'replay' });
    assert.deepEqual(await validate(otp({ use: 2, session: 0 }, yubikey)), { outcome: 'valid' });
    assert.deepEqual(await validate(first), { outcome: 'refused', reason: 'replay' });
  });

  test('yubiserver refuses an OTP that is not a press of the key', async () => {
    const strange = otp({ use: 9, session: 0 }, { ...yubikey, aesKey: randomBytes(16) });
    assert.deepEqual(await validate(strange), { outcome: 'refused', reason: 'wrong' });
    assert.deepEqual(await validate(otp({ use: 9, session: 0 }, newYubikey())), {
      outcome: 'refused',
      reason: 'wrong',
    });
  });

  test("with an API key that differs from the server's, no answer is trusted", async () => {
    const press = otp({ use: 3, session: 0 }, yubikey);
    const answer = await validate(press, { key: randomBytes(20) });
    assert.ok(answer.outcome === 'unavailable');
    assert.match(answer.why.join(), /signature is wrong/);
  });

  test('a client id unknown to the server', async () => {
    const answer = await validate(otp({ use: 4, session: 0 }, yubikey), { clientId: '99' });
    assert.ok(answer.outcome === 'unavailable');
    assert.match(answer.why.join(), /client id/);
  });

  const logIn = async (user: string, given: string) =>
    (await drive('code', [{ user, answers: [given] }])).map(({ result }) => result);

  scenario(product, 'one touch enrols a key, the next one logs in, and neither works twice', async () => {
    writeFileSync('/etc/yubico.key', `${Buffer.from(key).toString('base64')}\n`, { mode: 0o600 });
    addPerson('alice');
    const client = createClient({ socket: controlSocket });
    const touch = (use: number) => otp({ use, session: 0 }, yubikey);
    const body = { kind: 'yubikey', validation: 'cloud', verify: true } as const;
    const { factor } = await client.addFactor('alice', { ...body, code: touch(10) });
    assert.equal(factor.detail, `${yubikey.publicId}, validated by servers`);
    assert.notDeepEqual(await logIn('alice', touch(10)), [0]);
    assert.deepEqual(await logIn('alice', touch(11)), [0]);
    assert.notDeepEqual(await logIn('alice', touch(11)), [0]);

    // A key file readable by others is not used; the log says so, and no failure is counted.
    chmodSync('/etc/yubico.key', 0o644);
    const before = (await client.user('alice')).lock;
    assert.notDeepEqual(await logIn('alice', touch(12)), [0]);
    assert.match(product.log(), /can be read by others; run: chmod 0600/);
    assert.deepEqual((await client.user('alice')).lock, before);
    chmodSync('/etc/yubico.key', 0o600);
    assert.deepEqual(await logIn('alice', touch(13)), [0]);
    assert.ok(!product.log().includes(key) && !product.log().includes(touch(13).slice(12)));
  });
});
