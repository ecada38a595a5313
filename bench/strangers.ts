import { spawn } from 'node:child_process';
import { chmodSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '../daemon/client/client.ts';
import { rootedPaths } from '../daemon/config/defaults.ts';
import { type Crowd, crowdOfLogins, crowdOfRequests } from './crowds.ts';
import { hotp } from './devices.ts';
import { Driver, type Login } from './driver.ts';
import { helloFrame } from './frames.ts';
import { must, prepareMachine } from './machine.ts';
import { median, summary } from './measure.ts';
import { benchDirectory, enterNamespace } from './namespace.ts';
import { otpsOf } from './otp.ts';
import { type Person, people } from './people.ts';
import { Sallyport } from './sallyport.ts';

/**
 * How long the owner of an account logs in beside 64 strangers who have verified no factor, of each kind, as against
 * alone: 95th percentile, the median of several rounds. `node dist/bench/strangers.js [KIND…]`, as root.
 *
 * The strangers are this one process, which speaks the frames of the PAM module, or HTTP, itself. What 64 programs such
 * as su cost the machine before they reach sallyportd is not in the figures. Each tries again 100 ms after it was
 * refused, all at the same moment: sallyportd meets them in bursts, as it would not meet programs that start one after
 * the other. The kinds "flood" and "busy process" are no crowds: one process of a local user that never pauses. What
 * such a process takes of the machine without a word to sallyportd is the last line, to compare.
 * Below a folder of its own sallyportd starts a process for each password itself, and waits until it runs: the figure of
 * sign-ins includes that. Installed, a service manager starts it.
 */
const goal = 2;
const crowd = 64;
const rounds = 5;
/** One measurement takes so long at least: several times as long as a refusal is held back. */
const window = 2_500;
const logins = 100;
const silentPort = 18_463;
const portalPort = 18_464;
const configuration = `
[webauthn]
rp_id = "localhost"

[portal]
origins = ["http://localhost:${portalPort}"]
listen = "127.0.0.1:${portalPort}"

[[realm]]
name = "all"
require = "any"
yubikey = { servers = ["http://127.0.0.1:${silentPort}/verify"], client_id = 1, key_file = "KEY" }
`;

const madeUpCode = (): string => String(Math.random()).slice(2, 8);
const madeUpSignIn = (): object => ({
  by: 'password',
  user: `user${madeUpCode()}`,
  password: `password${madeUpCode()}`,
});

/** A process of `person`'s that runs bench/flood.ts. */
function flood(person: Person, argv: readonly string[]): Crowd {
  const uid = Number(must('id', ['-u', person.name]));
  const program = join(import.meta.dirname, 'flood.js');
  const child = spawn(process.execPath, [program, ...argv], { uid, gid: 65_534, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return {
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

interface Side {
  readonly paths: ReturnType<typeof rootedPaths>;
  readonly owner: Person;
  readonly other: Person;
  readonly touch: () => string;
}

/** What each kind of strangers does. */
function kindsOf({ paths, owner, other, touch }: Side): Record<string, () => Crowd> {
  const each = <T>(of: (one: number) => T): T[] => Array.from({ length: crowd }, (_, one) => of(one));
  const sshd = (one: number): Buffer => helloFrame(owner.name, 'sshd', 0, `198.51.100.${one}`);
  const onSocket = (of: (one: number) => Parameters<typeof crowdOfLogins>[1][number]) => () =>
    crowdOfLogins(paths.pamSocket, each(of));
  const portal = { host: '127.0.0.1', port: portalPort, path: '/api/sign-in' };
  const headers = { host: `localhost:${portalPort}`, origin: `http://localhost:${portalPort}` };
  return {
    'made-up codes': onSocket((one) => ({ hello: sshd(one), answer: madeUpCode })),
    'OTPs of the owner, silent server': onSocket((one) => ({ hello: sshd(one), answer: touch })),
    'prompts of su': onSocket(() => ({ hello: helloFrame(owner.name, 'su', 1001) })),
    'connections before HELLO': onSocket(() => ({})),
    'sign-ins at the portal': () =>
      crowdOfRequests(
        crowd,
        (one) => ({ ...portal, headers, localAddress: `127.1.0.${one + 1}` }),
        madeUpSignIn,
      ),
    // What the portal passes on, without its own limits.
    'sign-ins at control.sock': () =>
      crowdOfRequests(
        crowd,
        () => ({ socketPath: paths.controlSocket, path: '/v1/sign-ins' }),
        (one) => ({ ...madeUpSignIn(), source: `198.51.100.${one}` }),
      ),
    'flood of events of a local user': () =>
      flood(other, [paths.pamUserSocket, paths.controlSocket, other.name]),
    'busy process of a local user': () => flood(other, ['busy']),
  };
}

async function startPortal(config: string, directory: string): Promise<() => void> {
  const log = openSync(join(directory, 'portal.log'), 'a');
  const program = join(import.meta.dirname, '../portal/main.js');
  const portal = spawn(process.execPath, [program, '--config', config], { stdio: ['ignore', log, log] });
  const listens = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: portalPort }, () => resolve(true));
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
    });
  while (!(await listens())) {
    if (portal.exitCode !== null) throw new Error(readFileSync(join(directory, 'portal.log'), 'utf8'));
    await delay(20);
  }
  return () => void portal.kill('SIGTERM');
}

async function bench(directory: string, wanted: readonly string[]): Promise<void> {
  prepareMachine(directory);
  must('ip', ['link', 'set', 'lo', 'up']);
  const driver = new Driver(directory);
  const sallyport = new Sallyport(directory, { users: 1, warmUp: 0, device: hotp });
  await sallyport.setUp();
  await sallyport.stop();
  const root = join(directory, sallyport.service);
  const paths = rootedPaths(root);
  const keyFile = join(directory, 'key');
  writeFileSync(keyFile, Buffer.alloc(20, 7).toString('base64'));
  chmodSync(keyFile, 0o600);
  const config = join(root, 'etc/sallyport.toml');
  const text = readFileSync(config, 'utf8');
  writeFileSync(
    config,
    `${text.slice(0, text.search(/^\[\[realm\]\]/m))}${configuration.replace('KEY', keyFile)}`,
  );
  for (const passed of [directory, root, dirname(paths.pamUserSocket)]) chmodSync(passed, 0o755);
  const silent = createServer(() => undefined).listen(silentPort, '127.0.0.1');
  await sallyport.start();
  const stopPortal = await startPortal(config, directory);
  const [owner, other] = people;
  if (owner === undefined || other === undefined) throw new Error('there is nobody');
  let touches = 0;
  const touch = (): string => {
    touches += 1;
    return otpsOf(owner.yubikey, touches, 1)[0] ?? '';
  };
  const client = createClient({ socket: paths.controlSocket });
  await client.addFactor(owner.name, { kind: 'yubikey', validation: 'cloud', code: touch(), verify: false });
  const p95 = async (): Promise<number> => {
    const end = performance.now() + window;
    const done: Login[] = [];
    while (performance.now() < end) done.push(...(await driver.run(sallyport, sallyport.plan(1, logins))));
    const run = summary(done);
    if (run.refused > 0) throw new Error(`${run.refused} logins of the owner were refused`);
    return run.p95;
  };
  const kinds = Object.entries(kindsOf({ paths, owner, other, touch }));
  try {
    for (let warm = 0; warm < 2; warm += 1) await p95();
    for (const [what, begin] of kinds) {
      if (wanted.length > 0 && !wanted.some((part) => what.includes(part))) continue;
      const alone: number[] = [];
      const beside: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        alone.push(await p95());
        const strangers = begin();
        await delay(200);
        beside.push(await p95());
        await strangers.stop();
      }
      const ratio = median(beside) / median(alone);
      const verdict = ratio <= goal ? 'met' : `missed: at most ${goal}`;
      process.stdout.write(
        `${what.padEnd(34)} alone ${median(alone).toFixed(2)} ms, beside: ${median(beside).toFixed(2)} ms, ${ratio.toFixed(2)} x (${verdict}), load ${loadavg()[0]?.toFixed(1)}\n`,
      );
    }
  } finally {
    stopPortal();
    silent.close();
    await sallyport.stop();
  }
}

const directory = benchDirectory();
const wanted = process.argv.slice(2);
if (directory === undefined) await enterNamespace(import.meta.filename, wanted);
else await bench(directory, wanted).then(() => process.exit(0));
