import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createClient } from '../../daemon/client/client.ts';
import { run, someoneListens, until } from '../support/rig/commands.ts';
import { cliMain, daemonMain } from '../support/rig/layout.ts';

/**
 * Start with an invalid store, key or configuration: sallyportd exits non-zero before any socket exists, says what is
 * wrong and that nothing was changed, and changes nothing.
 */
const daemons = new Set<ChildProcess>();
let pristine: string;

before(async () => {
  pristine = mkdtempSync(join(tmpdir(), 'sallyport-broken-'));
  const root = join(pristine, 'first');
  const init = await run(process.execPath, [cliMain, 'init', '--root', root]);
  assert.equal(init.status, 0, init.stderr);
  const daemon = await start(root);
  const add = await cli(root, ['factor', 'add', 'recovery', 'root']);
  assert.equal(add.status, 0, add.stderr);
  await stop(daemon);
});

after(async () => {
  for (const daemon of daemons) await stop(daemon);
  rmSync(pristine, { recursive: true, force: true });
});

function cli(root: string, argv: readonly string[]): ReturnType<typeof run> {
  return run(process.execPath, [cliMain, '--config', join(root, 'etc/sallyport.toml'), ...argv]);
}

async function start(root: string, stderr: number | 'ignore' = 'ignore'): Promise<ChildProcess> {
  const daemon = spawn(process.execPath, [daemonMain, '--config', join(root, 'etc/sallyport.toml')], {
    stdio: ['ignore', 'ignore', stderr],
  });
  daemons.add(daemon);
  const socket = join(root, 'run/pam.sock');
  await until('sallyportd listens', () => someoneListens(socket) || daemon.exitCode !== null, 60_000);
  assert.equal(daemon.exitCode, null, 'it is up');
  return daemon;
}

async function stop(daemon: ChildProcess): Promise<void> {
  daemons.delete(daemon);
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  await ended;
}

let copies = 0;
/** A copy whose configuration has its own paths. */
function copy(): string {
  copies += 1;
  const root = join(pristine, `copy${copies}`);
  cpSync(join(pristine, 'first'), root, { recursive: true, filter: (path) => !statSync(path).isSocket() });
  const file = join(root, 'etc/sallyport.toml');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(join(pristine, 'first'), root));
  return root;
}

/** Every byte of the store and its anchor; LevelDB's own LOG and LOCK contain no records. */
function fingerprint(root: string): string {
  const store = join(root, 'var/store');
  const hash = createHash('sha256').update(readFileSync(join(root, 'var/anchor')));
  for (const name of readdirSync(store).sort())
    if (!/^LO(?:G|CK)/.test(name)) hash.update(name).update(readFileSync(join(store, name)));
  return hash.digest('hex');
}

/** @param says what the message must name */
async function refusesToStart(root: string, says: RegExp, status = 1): Promise<void> {
  const daemon = await run(process.execPath, [daemonMain, '--config', join(root, 'etc/sallyport.toml')]);
  assert.equal(daemon.status, status, daemon.stderr);
  assert.match(daemon.stderr, says);
  assert.deepEqual(
    readdirSync(join(root, 'run')).filter((name) => name.endsWith('.sock')),
    [],
    'no socket was made',
  );
  const verify = await cli(root, ['status']);
  assert.equal(verify.status, 4, 'the daemon is not reachable');
}

function logOf(root: string): string {
  const store = join(root, 'var/store');
  const name = readdirSync(store).find((candidate) => candidate.endsWith('.log'));
  assert.ok(name !== undefined);
  return join(store, name);
}

const damages: readonly { name: string; says: RegExp; harm: (root: string) => void }[] = [
  { name: 'CURRENT gone', says: /CURRENT/, harm: (root) => rmSync(join(root, 'var/store/CURRENT')) },
  {
    name: 'the whole store gone',
    says: /store/,
    harm: (root) => rmSync(join(root, 'var/store'), { recursive: true }),
  },
  {
    name: 'the log cut off',
    says: /last 1 changes are lost/,
    harm: (root) => truncateSync(logOf(root), statSync(logOf(root)).size - 60),
  },
  {
    name: 'a byte of the log changed',
    says: /damaged/,
    harm: (root) => {
      const bytes = readFileSync(logOf(root));
      bytes.writeUInt8(bytes.readUInt8(40) ^ 0x10, 40);
      writeFileSync(logOf(root), bytes);
    },
  },
  { name: 'the anchor gone', says: /anchor/, harm: (root) => rmSync(join(root, 'var/anchor')) },
  {
    name: 'another master key',
    says: /key/,
    harm: (root) =>
      writeFileSync(join(root, 'etc/master.key'), `other ${Buffer.alloc(32, 7).toString('base64')}\n`),
  },
  {
    name: 'a master key that others can read',
    says: /chmod/,
    harm: (root) => chmodSync(join(root, 'etc/master.key'), 0o644),
  },
  { name: 'no master key', says: /master key/, harm: (root) => rmSync(join(root, 'etc/master.key')) },
];

for (const { name, says, harm } of damages) {
  test(`${name}: does not start, and changes nothing`, async () => {
    const root = copy();
    harm(root);
    const whole = name !== 'the anchor gone' && name !== 'the whole store gone';
    const found = whole ? fingerprint(root) : '';
    await refusesToStart(root, says);
    if (whole) assert.equal(fingerprint(root), found);
  });
}

test('an older copy of the store was restored', async () => {
  const root = copy();
  const older = join(pristine, 'older');
  cpSync(join(root, 'var/store'), older, { recursive: true });
  const daemon = await start(root);
  assert.equal((await cli(root, ['factor', 'add', 'recovery', 'daemon'])).status, 0);
  await stop(daemon);
  rmSync(join(root, 'var/store'), { recursive: true });
  cpSync(older, join(root, 'var/store'), { recursive: true });
  await refusesToStart(root, /older copy/);
});

test('a second daemon exits, and the first continues', async () => {
  const root = copy();
  const first = await start(root);
  const second = await run(process.execPath, [daemonMain, '--config', join(root, 'etc/sallyport.toml')]);
  assert.notEqual(second.status, 0);
  assert.match(second.stderr, /in use/);
  assert.equal((await cli(root, ['status'])).status, 0);
  await stop(first);
  assert.deepEqual(
    readdirSync(join(root, 'run')).filter((name) => name.endsWith('.sock')),
    [],
    'its sockets go with it',
  );
});

test('an invalid configuration: the last valid one is used, and status warns', async () => {
  const root = copy();
  const file = join(root, 'etc/sallyport.toml');
  const good = readFileSync(file, 'utf8');
  await stop(await start(root));
  writeFileSync(file, good.replace('require = "none"', 'require = "nine"'));
  const daemon = await start(root);
  const status = await cli(root, ['status']);
  assert.match(status.stdout + status.stderr, /sallyport\.toml:\d+.*"nine"/s);
  const reload = await cli(root, ['reload']);
  assert.equal(reload.status, 78, 'and a reload says the same');
  writeFileSync(file, good);
  assert.equal((await cli(root, ['reload'])).status, 0);
  await stop(daemon);
  writeFileSync(file, 'this is = = no TOML');
  await stop(await start(root));
});

test('an invalid configuration and no last valid one: does not start', async () => {
  const root = copy();
  rmSync(join(root, 'var/last-good'), { force: true });
  writeFileSync(join(root, 'etc/sallyport.toml'), 'realm = 1\n');
  await refusesToStart(root, /sallyport\.toml:1/, 78);
});

test('a log that cannot be written ends nothing', async () => {
  const root = copy();
  const full = openSync('/dev/full', 'w');
  const daemon = await start(root, full);
  closeSync(full);
  for (let line = 0; line < 3; line += 1) assert.equal((await cli(root, ['reload'])).status, 0);
  assert.equal(daemon.exitCode, null, 'it is still up');
  await stop(daemon);
});

test('events over the limit of the configuration are dropped', async () => {
  const root = copy();
  const file = join(root, 'etc/sallyport.toml');
  const daemon = await start(root);
  const client = createClient({ socket: join(root, 'run/control.sock') });
  for (let event = 0; event < 130; event += 1) await client.unlock('root');
  const { first, last } = (await client.status()).store.events;
  assert.ok(last - first + 1 > 130);
  await stop(daemon);
  writeFileSync(file, `[audit]\nmax_events = 100\n\n${readFileSync(file, 'utf8')}`);
  const again = await start(root);
  await until('the trail is bounded', async () => {
    const kept = (await client.status()).store.events;
    return kept.last - kept.first + 1 <= 100;
  });
  await stop(again);
});
