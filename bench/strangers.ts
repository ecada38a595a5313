import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '../daemon/client/client.ts';
import { rootedPaths } from '../daemon/config/defaults.ts';
import { hotp } from './devices.ts';
import { Driver } from './driver.ts';
import { prepareMachine } from './machine.ts';
import { median, summary } from './measure.ts';
import { benchFolder, enterNamespace } from './namespace.ts';
import { otpsOf } from './otp.ts';
import { people } from './people.ts';
import { Sallyport } from './sallyport.ts';

/**
 * How long the owner of an account logs in beside 64 strangers who have verified no factor, of each kind, as against
 * alone: 95th percentile, the median of several rounds. `node dist/bench/strangers.js`, as root.
 */
const goal = 2;
const crowd = 64;
const rounds = 5;
const logins = 100;
const silentPort = 18_463;
const realms = `
[[realm]]
name = "all"
require = "any"
yubikey = { servers = ["http://127.0.0.1:${silentPort}/verify"], client_id = 1, key_file = "KEY" }
`;

/** docs/reference/protocol.md, the module's side. */
function frame(type: number, fields: readonly (readonly [number, Buffer | string])[]): Buffer {
  const parts = fields.map(([tag, value]) => {
    const bytes = Buffer.from(value as string);
    return Buffer.concat([Buffer.from([tag, bytes.length >> 8, bytes.length & 0xff]), bytes]);
  });
  const body = Buffer.concat([Buffer.from([type]), ...parts]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function hello(user: string, service: string, realUid: number, rhost: string | undefined): Buffer {
  return frame(0x01, [
    [0x01, Buffer.from([1])],
    [0x02, service],
    [0x03, user],
    ...(rhost === undefined ? [] : [[0x05, rhost] as const]),
    [0x08, number(realUid)],
    [0x09, Buffer.from([0])],
    [0x0a, Buffer.from([0])],
    [0x0c, number(60_000)],
    [0x0d, number(0)],
  ]);
}

/** Strangers who go on until they are stopped. */
class Strangers {
  readonly #path: string;
  readonly #sockets = new Set<Socket>();
  #running = true;

  constructor(path: string) {
    this.#path = path;
  }

  /** @param said what it sends at once, and after the first answer; undefined: nothing, and it stays */
  begin(said: { readonly hello?: Buffer; readonly answer?: () => string }): void {
    if (!this.#running) return;
    const socket = connect(this.#path);
    this.#sockets.add(socket);
    let answered = said.answer === undefined;
    socket.on('error', () => undefined);
    if (said.hello !== undefined) socket.write(said.hello);
    socket.on('data', () => {
      if (answered) return;
      answered = true;
      socket.write(frame(0x02, [[0x20, said.answer?.() ?? '']]));
    });
    socket.on('close', () => {
      this.#sockets.delete(socket);
      // A program of the stranger's has to be started first.
      setTimeout(() => this.begin(said), 100);
    });
  }

  stop(): void {
    this.#running = false;
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function bench(folder: string): Promise<void> {
  prepareMachine(folder);
  const driver = new Driver(folder);
  const sallyport = new Sallyport(folder, 1, 0, hotp);
  await sallyport.setUp(() => undefined);
  await sallyport.stop();
  const root = join(folder, sallyport.service);
  const paths = rootedPaths(root);
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, Buffer.alloc(20, 7).toString('base64'));
  chmodSync(keyFile, 0o600);
  const config = join(root, 'etc/sallyport.toml');
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, `${text.slice(0, text.search(/^\[\[realm\]\]/m))}${realms.replace('KEY', keyFile)}`);
  const silent = createServer(() => undefined).listen(silentPort, '127.0.0.1');
  await sallyport.start();
  const [owner] = people;
  if (owner === undefined) throw new Error('there is nobody');
  let touches = 0;
  const touch = (): string => {
    touches += 1;
    return otpsOf(owner.yubikey, touches, 1)[0] ?? '';
  };
  const client = createClient({ socket: paths.controlSocket });
  await client.addFactor(owner.name, { kind: 'yubikey', validation: 'cloud', code: touch(), verify: false });
  const from = (each: number): Buffer => hello(owner.name, 'sshd', 0, `198.51.100.${each}`);
  const kinds: Record<string, (strangers: Strangers, each: number) => void> = {
    'made-up codes': (strangers, each) =>
      strangers.begin({ hello: from(each), answer: () => String(Math.random()).slice(2, 8) }),
    'OTPs of the owner, silent server': (strangers, each) =>
      strangers.begin({ hello: from(each), answer: touch }),
    'prompts of su': (strangers) => strangers.begin({ hello: hello(owner.name, 'su', 1001, undefined) }),
    'connections before HELLO': (strangers) => strangers.begin({}),
  };
  const p95 = async (): Promise<number> => {
    const run = summary(await driver.run(sallyport.service, sallyport.plan(1, logins)));
    if (run.refused > 0) throw new Error(`${run.refused} logins of the owner were refused`);
    return run.p95;
  };
  try {
    for (let warm = 0; warm < 10; warm += 1) await p95();
    for (const [what, begin] of Object.entries(kinds)) {
      const alone: number[] = [];
      const beside: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        alone.push(await p95());
        const strangers = new Strangers(paths.pamSocket);
        for (let each = 0; each < crowd; each += 1) begin(strangers, each);
        await delay(200);
        beside.push(await p95());
        strangers.stop();
        await delay(200);
      }
      const ratio = median(beside) / median(alone);
      const verdict = ratio <= goal ? 'met' : `missed: at most ${goal}`;
      process.stdout.write(
        `${what.padEnd(34)} alone ${median(alone).toFixed(2)} ms, beside ${crowd}: ${median(beside).toFixed(2)} ms, ${ratio.toFixed(2)} x (${verdict})\n`,
      );
    }
  } finally {
    silent.close();
    await sallyport.stop();
  }
}

const folder = benchFolder();
if (folder === undefined) await enterNamespace(import.meta.filename, []);
else await bench(folder).then(() => process.exit(0));
