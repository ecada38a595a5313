import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { answer, hello, u32 } from '../support/module-frames.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, as } from '../support/rig/people.ts';
import { controlSocket, type Product, pamSocket } from '../support/rig/product.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';

/** What a local user without privileges can write into the audit trail and the log. */
const realms = `
[[realm]]
name = "free"
members = { users = ["mallory"] }
require = "none"

[[realm]]
name = "all"
require = "any"
`;
/** One minute, of one user. */
const most = 200;
const tries = 3_000;

interface Counted {
  readonly account: string;
  readonly count?: number;
}

/**
 * Three concurrent floods, `tries` attempts each: logins abandoned as soon as they are answered, frames that violate
 * the protocol, and rejected requests.
 */
const flood = `
  const net = require('node:net'); const http = require('node:http');
  const [user, control, login, rubbish, tries] = process.argv.slice(1);
  // A busy daemon sends WAIT before PROMPT (0x13).
  const isPrompted = (seen) => {
    for (let at = 0; seen.length - at >= 5; at += 4 + seen.readUInt32BE(at)) if (seen[at + 4] === 0x13) return true;
    return false;
  };
  const frames = (bytes) => new Promise((resolve) => {
    const socket = net.connect(user);
    let answered = false;
    let seen = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', resolve);
    socket.on('connect', () => socket.write(bytes[0]));
    socket.on('data', (chunk) => {
      seen = Buffer.concat([seen, chunk]);
      if (bytes[1] === undefined || answered || !isPrompted(seen)) return;
      answered = true;
      socket.end(bytes[1]);
    });
  });
  const refused = () => new Promise((resolve) => {
    const request = http.request({ socketPath: control, path: '/v1/users', method: 'GET' }, (response) => {
      response.resume();
      response.on('end', () => resolve());
    });
    request.on('error', () => resolve());
    request.end();
  });
  const [hello, answer] = login.split(',').map((hex) => Buffer.from(hex, 'hex'));
  const all = async (one) => {
    let left = Number(tries);
    await Promise.all(Array.from({ length: 5 }, async () => { while (left-- > 0) await one(); }));
  };
  Promise.all([all(() => frames([hello, answer])), all(() => frames([Buffer.from(rubbish, 'hex')])), all(refused)])
    .then(() => console.log('done'));`;

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '');
async function trail(product: Product): Promise<Counted[]> {
  const lines = linesOf(await product.must(['audit', '--user', 'mallory', '--all', '--json']));
  return lines.map((line) => JSON.parse(line) as Counted);
}
const total = (counted: readonly { readonly count?: number }[]) =>
  counted.reduce((sum, { count = 1 }) => sum + count, 0);

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);

  scenario(product, 'a local user without privileges leaves few events and few log lines', async () => {
    const mallory = addPerson('mallory');
    const began = performance.now();
    const own = { user: 'mallory', realUid: u32(mallory.uid), firstFactorPassed: Buffer.from([0]) };
    const login = [hello(own), answer('1')].map((frame) => frame.toString('hex')).join(',');
    const [program = '', ...argv] = [...as(mallory), process.execPath, '-e', flood];
    const child = spawn(
      program,
      [
        ...argv,
        pamSocket.replace('pam.sock', 'pam-user.sock'),
        controlSocket,
        login,
        'ff'.repeat(64),
        `${tries}`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const done = once(createInterface(child.stdout), 'line');
    assert.deepEqual(await done, ['done']);
    // Counts are written when the daemon stops.
    await product.stop();
    const minutes = Math.ceil((performance.now() - began) / 60_000) + 1;
    const written = linesOf(product.log());
    const lines = written.filter(
      (line) => line.includes('"mallory"') || line.includes(`"uid":${mallory.uid}`),
    );
    await product.start();
    const events = await trail(product);
    console.log(
      `# ${events.length} events, ${lines.length} lines for ${3 * tries} tries in ${minutes} minutes`,
    );
    assert.ok(events.length <= most * minutes, `${events.length} events`);
    assert.ok(lines.length <= most * minutes, `${lines.length} lines`);
    const logged = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    const of = (event: string) => total(logged.filter((line) => line.event === event));
    // A call that got no slot for NSS ends without a decision, and is counted in the log.
    const undecided = of('login-error');
    const decided = total(events);
    assert.ok(decided > 0 && decided + undecided >= tries, `${decided} events and ${undecided} errors`);
    assert.equal(of('control-refused'), tries);
    assert.equal(of('protocol-violation'), tries);
    await product.must(['audit', 'verify']);
  });
});
