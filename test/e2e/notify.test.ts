import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { type Limits, limits } from '../../notify/limits.ts';
import type { Notice } from '../../notify/notices.ts';
import { createPosition } from '../../notify/position.ts';
import { watch } from '../../notify/watch.ts';
import { DaemonRig } from '../support/daemon-rig.ts';
import { until } from '../support/until.ts';

/** A real sallyportd, real logins, and a notification program that works, fails, hangs, floods or is slow. */
let rig: DaemonRig;
let directory: string;
const reported = 'told';
const notifyMain = join(import.meta.dirname, '../../notify/main.js');
const ends: (() => Promise<void>)[] = [];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-notify-'));
  const program = script('tell', `cat >> ${join(directory, reported)}`);
  rig = await DaemonRig.start(`notify = ["${program}", "--word"]`);
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(join(directory, reported), { force: true });
});
after(async () => {
  await rig.remove();
  rmSync(directory, { recursive: true, force: true });
});

function script(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

function notices(): readonly Notice[] {
  const path = join(directory, reported);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

function stateOf(name: string): string {
  const state = join(directory, `state-${name}`);
  mkdirSync(state, { recursive: true });
  return state;
}

/** The real process. */
async function start(state: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [notifyMain, '--config', rig.config, '--state', state], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, SECRET: 'not for the program' },
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  ends.push(() => stop(child));
  await until(() => said.includes('"event":"following"') || child.exitCode !== null, 60_000);
  assert.equal(child.exitCode, null, said);
  return child;
}

async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

/** The same in this process, with intervals short enough for a test. */
function startHere(program: string, state: string, changes: Partial<Limits> = {}) {
  const controller = new AbortController();
  const logged: { event: string; [field: string]: unknown }[] = [];
  const note = (event: string, fields: object = {}): void => void logged.push({ event, ...fields });
  const done = watch({
    controlSocket: join(rig.root, 'run/control.sock'),
    program: [program],
    host: 'host',
    position: createPosition(state),
    limits: { ...limits, rests: [10, 10], save: 50, reconnect: 50, ...changes },
    log: { info: note, warning: note, error: note },
    signal: controller.signal,
  });
  const end = async () => {
    controller.abort();
    await done;
  };
  ends.push(end);
  const following = until(() => logged.some(({ event }) => event === 'following'), 60_000);
  return { logged, end, following };
}

const addPaper = (count = 1) =>
  (async () => {
    for (let one = 0; one < count; one += 1) await rig.addRecovery('bin');
  })();
const position = (state: string) => Number(readFileSync(join(state, 'position'), 'utf8'));
const newest = async () => (await rig.client.status()).store.events.last;

describe('sallyport-notify', () => {
  it('reports lockouts, recovery keys, new and removed factors, and nothing else', async () => {
    await start(stateOf('all'));
    await rig.addTotp('daemon');
    const papers = await rig.addRecovery('daemon');
    await rig.login({ user: 'daemon' }, papers[0] ?? '');
    for (let wrong = 0; wrong < 3; wrong += 1) await rig.login({ user: 'daemon' }, '000000');
    for (const paper of papers.slice(1)) await rig.login({ user: 'daemon' }, paper);
    const [phone] = await rig.client.factors('daemon');
    await rig.client.disableFactor('daemon', phone?.id ?? '', true);
    await rig.client.removeFactor('daemon', phone?.id ?? '', true);
    await until(() => notices().at(-1)?.notice === 'factor-removed', 60_000);
    assert.deepEqual(
      notices().map(({ notice }) => notice),
      [
        'factor-added',
        'factor-added',
        'recovery-key-used',
        'locked',
        ...new Array(8).fill('recovery-key-used'),
        'last-recovery-key-used',
        'factor-disabled',
        'factor-removed',
      ],
    );
    const [first] = notices();
    assert.equal(first?.event?.account, 'daemon');
    assert.equal(first?.event?.kind, 'factor-added');
    assert.ok((first?.host ?? '') !== '');
  });

  it('continues at its position after a restart or a kill, without gaps', {
    timeout: 120_000,
  }, async () => {
    const state = stateOf('restart');
    const first = await start(state);
    await addPaper();
    await until(() => notices().length === 1, 60_000);
    await stop(first, 'SIGKILL');
    await addPaper(3);
    const second = await start(state);
    const last = await newest();
    await until(() => position(state) === last, 60_000);
    await stop(second);
    const places = notices().map(({ event }) => event?.seq ?? 0);
    const each = new Set(places);
    assert.equal(each.size, 4);
    // The event that was being sent at the kill may be sent twice.
    assert.ok(places.length <= 5, `${places}`);
    assert.equal(position(state), last);
    await addPaper();
    await start(state);
    await until(() => notices().length === places.length + 1, 60_000);
  });

  it('recovers by itself when sallyportd does', { timeout: 120_000 }, async () => {
    const { following } = startHere(script('tell2', `cat >> ${join(directory, reported)}`), stateOf('again'));
    await following;
    await rig.stop('SIGKILL');
    await rig.begin();
    await addPaper();
    await until(() => notices().length === 1, 60_000);
  });

  it('passes the program no arguments, no environment and no shell', async () => {
    const program = script(
      'look',
      `env | sort > ${join(directory, 'env')}; echo "$#" >> ${join(directory, 'env')}; cat >> ${join(directory, reported)}`,
    );
    const { following } = startHere(program, stateOf('bare'));
    await following;
    await addPaper();
    await until(() => notices().length === 1, 60_000);
    const lines = readFileSync(join(directory, 'env'), 'utf8').trim().split('\n');
    const names = lines.slice(0, -1).map((line) => line.split('=')[0]);
    // PWD is what sh itself sets.
    assert.deepEqual(
      names.filter((name) => !['PWD', 'OLDPWD', '_', 'SHLVL'].includes(name ?? '')),
      ['LANG', 'PATH'],
    );
    assert.equal(lines.at(-1), '0');
  });

  it('retries a failing program, gives up with an error message and continues', async () => {
    const program = script('fail', `cat >> ${join(directory, reported)}; echo no mail today >&2; exit 7`);
    const { following, logged } = startHere(program, stateOf('fails'));
    await following;
    await addPaper(2);
    await until(() => notices().length === 6, 60_000);
    await until(() => logged.filter(({ givenUp }) => givenUp === true).length === 2, 60_000);
    const [failed] = logged.filter(({ event }) => event === 'program-failed');
    assert.match(String(failed?.why), /ended with 7: no mail today/);
    assert.match(JSON.stringify(logged), /no mail today/);
  });

  it('says so when no program is configured', async () => {
    const { following, logged } = startHere(join(directory, 'none'), stateOf('none-there'));
    await following;
    await addPaper();
    await until(() => logged.some(({ givenUp }) => givenUp === true), 60_000);
    assert.match(JSON.stringify(logged), /cannot be run/);
  });

  it('ends a program that hangs, and all its child processes', { timeout: 120_000 }, async () => {
    const pids = join(directory, 'pids');
    const program = script(
      'hang',
      `sleep 1000 & echo $! >> ${pids}; echo $$ >> ${pids}; cat > /dev/null; wait`,
    );
    const { following, logged } = startHere(program, stateOf('hangs'), { run: 300 });
    await following;
    await addPaper();
    await until(() => logged.some(({ givenUp }) => givenUp === true), 60_000);
    assert.match(JSON.stringify(logged), /took more than 0\.3 s/);
    const alive = readFileSync(pids, 'utf8').trim().split('\n').map(Number).filter(isAlive);
    await until(() => alive.every((pid) => !isAlive(pid)), 60_000);
  });

  it('is unaffected by a program that floods its output, and ends what it leaves behind', {
    timeout: 120_000,
  }, async () => {
    const left = join(directory, 'left');
    const program = script(
      'flood',
      `cat >> ${join(directory, reported)}; (sleep 1000 & echo $! > ${left}); head -c 50000000 /dev/zero | tr '\\0' x >&2; head -c 50000000 /dev/zero`,
    );
    const before = process.memoryUsage.rss();
    const { following, logged } = startHere(program, stateOf('floods'));
    await following;
    await addPaper();
    await until(() => notices().length === 1 && existsSync(left), 60_000);
    await addPaper();
    await until(() => notices().length === 2, 60_000);
    assert.ok(process.memoryUsage.rss() - before < 40_000_000, 'what it says is not kept');
    assert.deepEqual(
      logged.filter(({ event }) => event === 'program-failed'),
      [],
    );
    const pid = Number(readFileSync(left, 'utf8'));
    await until(() => !isAlive(pid) || readFileSync(left, 'utf8').trim() !== String(pid), 60_000);
  });

  it('counts events beyond what a slow program can take, and reports the count; logins do not wait', {
    timeout: 180_000,
  }, async () => {
    const gate = join(directory, 'gate');
    const program = script(
      'slow',
      `cat >> ${join(directory, reported)}; while [ ! -e ${gate} ]; do sleep 0.05; done`,
    );
    const state = stateOf('slow');
    const { following, logged } = startHere(program, state, { queue: 20, run: 120_000 });
    await following;
    const first = (await newest()) + 1;
    await addPaper(200);
    const last = await newest();
    // Everything was done while the program processed its first event.
    await until(() => notices().length === 1, 60_000);
    assert.equal(position(state), first - 1);
    writeFileSync(gate, '');
    await until(() => notices().at(-1)?.notice === 'dropped', 60_000);
    const count = notices().at(-1);
    assert.equal(notices().length, 21);
    assert.equal((count?.count ?? 0) + 20, last - first + 1);
    assert.equal(count?.last, last);
    await until(() => position(state) === last, 60_000);
    await until(() => logged.some(({ event }) => event === 'dropped'), 60_000);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
