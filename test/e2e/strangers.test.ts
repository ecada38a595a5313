import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after } from 'node:test';
import { hotp } from '../support/codes.ts';
import { drive } from '../support/drive.ts';
import { Client } from '../support/login-rig.ts';
import { answer, hello, u32 } from '../support/module-frames.ts';
import { until } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, as } from '../support/rig/people.ts';
import { pamSocket } from '../support/rig/product.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { moduleLine, writeProvenStack, writeStack } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';
import { newYubikey, otp } from '../support/yubikey.ts';

/** What parties without a verified factor can do while the owner of the account logs in (rule 13). */
const port = 18_001;
const keyFile = '/etc/yubico.key';
const key = Buffer.from('a key of twenty bytes');
const realms = `
[[realm]]
name = "all"
require = "any"
yubikey = { servers = ["http://127.0.0.1:${port}/verify"], client_id = 1, key_file = "${keyFile}" }
`;
const crowd = 64;

/** A validation server: it answers "valid", until the test makes it silent. */
class Servers {
  silent = false;
  readonly waiting = new Set<Socket>();
  readonly server = createServer((request, response) => {
    if (this.silent) {
      const { socket } = request;
      this.waiting.add(socket);
      socket.once('close', () => this.waiting.delete(socket));
      return;
    }
    const asked = new URL(request.url ?? '', 'http://x').searchParams;
    const fields = { nonce: asked.get('nonce'), otp: asked.get('otp'), status: 'OK' };
    const lines = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
    const h = createHmac('sha1', key).update(lines.join('&')).digest('base64');
    response.end([`h=${h}`, ...lines, ''].join('\r\n'));
  });

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(port, '127.0.0.1', () => resolve()));
  }
}

await inNamespace(import.meta.filename, async () => {
  writeFileSync(keyFile, key.toString('base64'));
  chmodSync(keyFile, 0o600);
  const servers = new Servers();
  await servers.listen();
  after(() => {
    servers.server.closeAllConnections();
    servers.server.close();
  });
  const product = await prepare(realms);
  writeProvenStack('code');
  writeStack('su', [
    'auth sufficient pam_rootok.so',
    `auth requisite ${moduleLine('password_and_code')}`,
    'auth requisite pam_unix.so use_first_pass nodelay',
    'auth required pam_permit.so',
  ]);
  const mallory = addPerson('mallory');
  const yubikey = newYubikey();
  let use = 1;
  const press = (): string => otp({ use: use++, session: 0 }, yubikey);

  const owner = async (name: string): Promise<() => Promise<void>> => {
    addPerson(name);
    const secret = await product.addHotp(name);
    let next = 0;
    return async () => {
      const answers = Array.from({ length: 10 }, () => hotp(secret, next++));
      const done = await drive('code', [{ user: name, answers }]);
      assert.deepEqual(
        done.map(({ result }) => result),
        answers.map(() => 0),
        'the owner is let in each time',
      );
    };
  };

  scenario(product, 'OTPs with the owner’s public id, with a silent validation server', async () => {
    const logsIn = await owner('alice');
    servers.silent = false;
    await product.must(['factor', 'add', 'yubikey', 'alice'], `${press()}\n`);
    servers.silent = true;
    await logsIn();
    const strangers = Array.from({ length: crowd }, (_, each) => {
      const stranger = new Client(pamSocket);
      const rhost = `198.51.100.${each}`;
      stranger.send(
        hello({
          service: 'sshd',
          user: 'alice',
          rhost,
          realUid: u32(0),
          firstFactorPassed: Buffer.from([0]),
        }),
      );
      return stranger;
    });
    await until('all are asked', () => strangers.every((stranger) => stranger.ofType('prompt').length > 0));
    for (const stranger of strangers) stranger.send(answer(press()));
    await until('the server is asked', () => servers.waiting.size > 0);
    await logsIn();
    assert.ok(servers.waiting.size > 0, 'the server is still waited for');
    for (const stranger of strangers) stranger.socket.destroy();
    await until('no question is left', () => servers.waiting.size === 0);
    const successes = (await product.events('alice')).filter(
      ({ kind, outcome }) => kind === 'login' && outcome === 'success',
    );
    assert.equal(successes.length, 20, 'those of the owner, and no other');
  });

  scenario(product, 'a silent validation server ends at the deadline', async () => {
    await owner('bob');
    servers.silent = false;
    const own = newYubikey();
    await product.must(['factor', 'add', 'yubikey', 'bob'], `${otp({ use: 1, session: 0 }, own)}\n`);
    servers.silent = true;
    const [late] = await drive('code', [{ user: 'bob', answers: [otp({ use: 2, session: 0 }, own)] }]);
    assert.notEqual(late?.result, 0);
    const reasons = (await product.events('bob')).map(({ reason }) => reason);
    assert.ok(reasons.includes('unavailable') && !reasons.includes('wrong'), reasons.join());
  });

  scenario(product, 'su by a local user who types nothing', async () => {
    const logsIn = await owner('carol');
    await logsIn();
    const calls = Array.from(
      { length: 40 },
      () => new Terminal([...as(mallory), 'su', 'carol', '-c', 'true']),
    );
    const prompted = () => calls.filter(({ transcript }) => transcript.includes('second factor:')).length;
    const over = new Set<Terminal>();
    for (const call of calls) void call.ended().then(() => over.add(call));
    await until(
      'each stands at its prompt, or is over',
      () => prompted() + over.size >= calls.length,
      60_000,
    );
    assert.equal(prompted(), 32);
    await logsIn();
  });

  scenario(product, 'connections that send nothing', async () => {
    const logsIn = await owner('dave');
    const silent = Array.from({ length: 1_000 }, () => {
      const socket = connect(pamSocket);
      socket.on('error', () => undefined);
      return socket;
    });
    await logsIn();
    for (const socket of silent) socket.destroy();
  });
});
