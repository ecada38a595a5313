import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { hotp } from '../support/codes.ts';
import { drive } from '../support/drive.ts';
import { hello } from '../support/module-frames.ts';
import { until } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, as } from '../support/rig/people.ts';
import { type Product, pamSocket } from '../support/rig/product.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { writeProvenStack } from '../support/rig/stack.ts';

/** Rule 9: floods. Half-open conversations, and a local user who floods the other socket. */
const realms = `
[[realm]]
name = "all"
require = "any"
`;
const halfOpen = 1_000;
/** Number of accounts used: one may have 256 logins at a time. */
const crowd = 5;
const logins = 40;
/** Less than `helloWaiting`. */
const atOnce = 100;
async function openLogins(product: Product): Promise<number> {
  return Number(JSON.parse(await product.must(['status', '--json'])).logins);
}

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  writeProvenStack('code');

  const addTokens = async (user: string): Promise<(count: number) => string[]> => {
    addPerson(user);
    const secret = await product.addHotp(user);
    let next = 0;
    return (count) => Array.from({ length: count }, () => hotp(secret, next++));
  };
  const allAreLetIn = async (user: string, answers: string[]): Promise<void> => {
    const done = await drive('code', [{ user, answers }]);
    assert.deepEqual(
      done.filter((login) => login.result !== 0),
      [],
    );
  };

  scenario(product, `${halfOpen} half-open conversations do not prevent a legitimate login`, async () => {
    const codes = await addTokens('alice');
    for (let index = 0; index < crowd; index += 1) await addTokens(`many${index}`);
    const sockets: Socket[] = [];
    for (let index = 0; index < halfOpen; index += 1) {
      const socket = connect(pamSocket);
      socket.on('error', () => undefined);
      socket.write(hello({ user: `many${index % crowd}` }));
      sockets.push(socket);
      // Only a limited number may wait for their HELLO to be read.
      if (sockets.length % atOnce === 0)
        await until('all stand at the prompt', async () => (await openLogins(product)) === sockets.length);
    }
    await allAreLetIn('alice', codes(logins));
    for (const socket of sockets) socket.destroy();
    await until('nothing stays behind', async () => (await openLogins(product)) === 0);
  });

  scenario(
    product,
    "a local user's flood on pam-user.sock does not affect logins of root's programs",
    async () => {
      const codes = await addTokens('bob');
      const mallory = addPerson('mallory');
      await allAreLetIn('bob', codes(20));
      const script = `
      const net = require('node:net');
      const flood = () => { const s = net.connect(process.argv[1]); s.on('error', () => {}); s.on('close', () => setTimeout(flood, 1)); };
      for (let i = 0; i < 1500; i += 1) flood();
      console.log('flooding');`;
      const [program = '', ...argv] = [...as(mallory), process.execPath, '-e', script];
      const flood = spawn(program, [...argv, pamSocket.replace('pam.sock', 'pam-user.sock')], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      await once(flood.stdout, 'data');
      await allAreLetIn('bob', codes(logins));
      const ended = once(flood, 'exit');
      flood.kill('SIGKILL');
      await ended;
    },
  );
});
