import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startAuthenticator } from '../support/authenticator/index.ts';
import {
  compileSoftHelper,
  killHelpers,
  makeFrame,
  RawHelper,
  scratch,
  shippedHelper,
} from '../support/fido-rig.ts';
import { repoRoot } from '../support/native.ts';
import { allowedCalls } from '../support/unit-calls.ts';

/** The system calls that the unit allows the helper are those that it makes. */
const directory = scratch('fido-confined');
const unit = readFileSync(path.join(repoRoot, 'pam-config/systemd/sallyport-fido@.service'), 'utf8');
const isHere = spawnSync('systemd-analyze', ['--version']).error === undefined;
let soft = '';
let shipped = '';

before(async () => {
  soft = await compileSoftHelper('plain');
  shipped = await shippedHelper(directory.path);
});
after(() => {
  killHelpers();
  directory.remove();
});

/** A program that runs `helper` under strace. */
function traced(helper: string, calls: string): string {
  const program = path.join(directory.path, `traced-${path.basename(calls)}`);
  writeFileSync(program, `#!/bin/sh\nexec strace -f -qq -o ${calls} ${helper}\n`);
  chmodSync(program, 0o755);
  return program;
}

async function callsOf(helper: string, environment: Readonly<Record<string, string>>) {
  const output = path.join(directory.path, `calls-${path.basename(path.dirname(helper))}`);
  const run = new RawHelper(traced(helper, output), environment);
  await run.send(makeFrame()).said('keys');
  if (Object.keys(environment).length > 0) await run.said('made');
  run.end();
  await run.ended;
  const text = readFileSync(output, 'latin1');
  const names = [...text.matchAll(/^\d+ +(?:<\.\.\. )?(\w+)[( ]/gm)];
  // The exec is the service manager's.
  return { text, names: new Set(names.map(([, name = '']) => name).filter((name) => name !== 'execve')) };
}

describe('under its unit', { skip: isHere ? false : 'systemd-analyze is not here' }, () => {
  it('the helper makes no forbidden system call', async () => {
    const key = await startAuthenticator({
      socket: path.join(directory.path, 'key'),
      kind: 'u2f',
      autoTouch: true,
    });
    const may = allowedCalls(unit);
    assert.ok(may.size > 100 && !may.has('setpriority') && !may.has('mount'));
    const elsewhere = path.join(directory.path, 'openssl.cnf');
    const environment = { SALLYPORT_FIDO_DEVICES: key.socket, OPENSSL_CONF: elsewhere };
    const { names: made, text } = await callsOf(soft, environment);
    // libcrypto was needed, and read nothing from the environment.
    assert.match(text, /openssl\.cnf/);
    assert.ok(!text.includes(elsewhere));
    assert.ok(made.has('clone3') || made.has('clone'), 'the threads were not seen');
    const { names: shippedMade } = await callsOf(shipped, {});
    const kept = [...made, ...shippedMade].filter((name) => !may.has(name));
    assert.deepEqual(kept, []);
    // Only the tests use sockets.
    assert.ok(!shippedMade.has('socket'));
    await key.stop();
  });
});
