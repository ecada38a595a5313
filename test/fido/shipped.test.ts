import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { limits } from '../../daemon/limits.ts';
import * as numbers from '../../daemon/protocol/fido.ts';
import { startAuthenticator } from '../support/authenticator/index.ts';
import {
  assertFrame,
  compileSoftHelper,
  fidoDirectory,
  framesDirectory,
  killHelpers,
  list,
  parts,
  RawHelper,
  scratch,
  shippedHelper,
} from '../support/fido-rig.ts';
import { repoRoot, sourcesOf } from '../support/native.ts';
import { until } from '../support/until.ts';

const directory = scratch('fido-shipped');
const socket = path.join(directory.path, 'key');
const hook = { SALLYPORT_FIDO_DEVICES: socket };
let program = '';
let soft = '';

before(async () => {
  program = await shippedHelper(directory.path);
  soft = await compileSoftHelper('plain');
});
after(() => {
  killHelpers();
  directory.remove();
});

const tool = (name: string, file: string, ...args: readonly string[]) =>
  execFileSync(name, [...args, file], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });

describe('the shipped helper', { concurrency: 4 }, () => {
  it('cannot be given other devices', async () => {
    const key = await startAuthenticator({ socket, autoTouch: true });
    const ask = async (which: string) => {
      const helper = new RawHelper(which, hook).send(list());
      assert.equal((await helper.ended).code, 0);
      const [listed] = helper.frames;
      return listed?.type === 'listed' && listed.keys.some(({ name }) => name.startsWith('Soft'));
    };
    assert.equal(await ask(soft), true);
    const visits = key.requests.length;
    assert.equal(await ask(program), false);
    assert.equal(key.requests.length, visits);
    await key.stop();
  });

  it('contains no trace of test devices', () => {
    const traces = /SALLYPORT|getenv|fido_dev_set_io_functions|fido_dev_set_transport_functions|connect/;
    assert.match(readFileSync(soft, 'latin1'), /SALLYPORT_FIDO_DEVICES/);
    assert.doesNotMatch(readFileSync(program, 'latin1'), /SALLYPORT_/);
    const symbols = tool('nm', program, '-D', '--undefined-only');
    assert.match(symbols, /fido_dev_info_manifest/);
    assert.doesNotMatch(symbols, traces);
  });

  it('never enables the log of libfido2, which would contain frames', () => {
    assert.doesNotMatch(
      tool('nm', program, '-D', '--undefined-only'),
      /fido_init|fido_set_log_handler|printf\b/,
    );
  });

  it('is bound at once, position-independent, and has no executable stack', () => {
    assert.match(tool('readelf', program, '-d'), /BIND_NOW/);
    assert.match(tool('readelf', program, '-h'), /DYN/);
    assert.match(tool('readelf', program, '-lW'), /GNU_RELRO/);
    assert.match(tool('readelf', program, '-lW'), /GNU_STACK.*\bRW\b(?!E)/);
    const needed = [...tool('readelf', program, '-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, of]) => of);
    assert.deepEqual(needed.sort(), ['libc.so.6', 'libfido2.so.1']);
  });

  it('is built from every source beside it', () => {
    const built = new Set(sourcesOf('sallyport-fido'));
    const beside = readdirSync(fidoDirectory).filter((name) => name.endsWith('.c'));
    assert.ok(beside.length > 3);
    for (const name of beside) assert.ok(built.has(path.join(fidoDirectory, name)), name);
  });

  it('leaves no core, cannot be traced, gains no privileges, and clears its environment', async () => {
    const copy = path.join(directory.path, 'copy');
    copyFileSync(soft, copy);
    chmodSync(directory.path, 0o755);
    const helper = new RawHelper(copy, { SECRET: 'hunter2' }, { uid: 65534, gid: 65534 });
    await helper.send(assertFrame()).said('keys');
    const at = (name: string) => `/proc/${helper.child.pid}/${name}`;
    assert.match(readFileSync(at('limits'), 'latin1'), /Max core file size +0 +0/);
    assert.match(readFileSync(at('status'), 'latin1'), /^NoNewPrivs:\t1$/m);
    // The kernel gives the files of such a process to root, whoever it runs as.
    assert.equal(statSync(at('environ')).uid, 0);
    helper.end();
    await helper.ended;
  });

  it('ends by its alarm when it hangs', async () => {
    const helper = new RawHelper(soft).send(assertFrame({ deadline: parts.deadline(2_000) }));
    await helper.said('keys');
    helper.child.kill('SIGSTOP');
    const pending = () => {
      const status = readFileSync(`/proc/${helper.child.pid}/status`, 'latin1');
      return BigInt(`0x${/^ShdPnd:\t(\w+)$/m.exec(status)?.[1] ?? '0'}`);
    };
    const alarm = 1n << BigInt(constants.signals.SIGALRM - 1);
    await until(() => (pending() & alarm) !== 0n, 60_000);
    helper.child.kill('SIGCONT');
    assert.deepEqual(await helper.ended, { code: null, signal: 'SIGALRM' });
  });
});

describe('the numbers of the protocol', () => {
  const header = [path.join(fidoDirectory, 'protocol.h'), path.join(framesDirectory, 'codec.h')]
    .map((file) => readFileSync(file, 'utf8'))
    .join('');
  const inC = new Map(
    [...header.matchAll(/^ {4}(\w+) = (\w+),$/gm)].map(([, name = '', value]) => [name, Number(value)]),
  );
  const upper = (name: string) => name.replace(/[A-Z]/g, '_$&').toUpperCase();
  const page =
    readFileSync(path.join(repoRoot, 'docs/reference/protocol.md'), 'utf8').split('# The FIDO helper')[1] ??
    '';

  it('are the same in C, in the daemon and on the page', () => {
    for (const [prefix, table] of [
      ['FRAME', numbers.frameTypes],
      ['TAG', numbers.fieldTags],
    ] as const) {
      const names = [...inC.keys()].filter((name) => name.startsWith(`${prefix}_`));
      const listed = Object.entries(table).map(([name, value]) => {
        assert.equal(inC.get(`${prefix}_${upper(name)}`), value, name);
        assert.ok(page.includes(`0x${value.toString(16).padStart(2, '0')}`), `${name} on the page`);
        return name;
      });
      const others = prefix === 'FRAME' ? ['FRAME_HEADER', 'FRAME_LENGTH_MAX'] : [];
      assert.equal(names.length, listed.length + others.length);
    }
  });

  it('have the same limits on both sides', () => {
    const same = {
      KEYS_MAX: limits.pluggedKeys,
      KEY_NAME_MAX: limits.keyNameLength,
      DETAIL_MAX: limits.fidoDetailLength,
      CREDENTIAL_ID_MAX: limits.credentialIdLength,
      AUTHENTICATOR_DATA_MAX: limits.authenticatorDataLength,
      FORMAT_MAX: limits.attestationFormatLength,
      STATEMENT_MAX: limits.attestationStatementLength,
      SIGNATURE_MAX: limits.keySignatureLength,
      PIN_FIELD_MAX: limits.pinLength,
      FRAME_LENGTH_MAX: limits.frameLength,
    };
    for (const [name, value] of Object.entries(same)) assert.equal(inC.get(name), value, name);
  });
});
