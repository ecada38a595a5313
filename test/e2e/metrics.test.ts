import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { totp } from '../support/codes.ts';
import { DaemonRig } from '../support/daemon-rig.ts';
import { readMetrics } from '../unit/metrics/parser.ts';

let rig: DaemonRig;
const directory = mkdtempSync(join(tmpdir(), 'sallyport-metrics-'));
before(async () => {
  rig = await DaemonRig.start();
});
after(async () => {
  await rig.remove();
  rmSync(directory, { recursive: true, force: true });
});

const figure = (text: string, name: string, labels: Readonly<Record<string, string>> = {}) =>
  [...readMetrics(text).values()]
    .flatMap(({ samples }) => samples)
    .find(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )?.value;

describe('sallyport metrics', () => {
  it('reports the outcomes of real logins', async () => {
    const before = await rig.client.metrics();
    assert.equal(figure(before, 'sallyport_answer_seconds_count'), 0);
    const secret = await rig.addTotp('root');
    await rig.addTotp('daemon');
    await rig.login({ user: 'root' }, totp(secret));
    for (let wrong = 0; wrong < 3; wrong += 1) await rig.login({ user: 'daemon' }, '000000');
    const { out, status } = await rig.cli(['metrics']);
    assert.equal(status, 0);
    const login = (factor: string, outcome: string) =>
      figure(out, 'sallyport_logins_total', { realm: 'staff', factor, outcome });
    assert.equal(login('totp', 'success'), 1);
    assert.equal(login('none', 'refused'), 3);
    assert.equal(figure(out, 'sallyport_wrong_answers_total', { reason: 'wrong' }), 3);
    assert.equal(figure(out, 'sallyport_locks_total', { what: 'codes' }), 1);
    assert.equal(figure(out, 'sallyport_accounts_locked', { what: 'codes' }), 1);
    assert.equal(figure(out, 'sallyport_answer_seconds_count'), 4);
    assert.equal(figure(out, 'sallyport_prompt_seconds_count'), 4);
    assert.equal(figure(out, 'sallyport_changes_total', { kind: 'factor-added' }), 2);
    assert.equal(figure(out, 'sallyport_store_writable'), 1);
    assert.equal(figure(out, 'sallyport_answers_waiting'), 0);
    assert.ok((figure(out, 'sallyport_store_bytes') ?? 0) > 0);
    assert.ok((figure(out, 'sallyport_audit_bytes') ?? 0) > 0);
    assert.doesNotMatch(out, /daemon|"root"/);
  });

  it('is plain text on the socket, as a scraper reads it', async () => {
    const socketPath = join(rig.root, 'run/control.sock');
    const answer = await new Promise<{ type: string | undefined; text: string }>((resolve, reject) => {
      request({ socketPath, path: '/v1/metrics' }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ type: response.headers['content-type'], text }));
      })
        .on('error', reject)
        .end();
    });
    assert.equal(answer.type, 'text/plain; version=0.0.4; charset=utf-8');
    readMetrics(answer.text);
  });

  it('replaces a file in one step, readable by all', async () => {
    const file = join(directory, 'sallyport.prom');
    writeFileSync(file, 'old\n', { mode: 0o600 });
    assert.equal((await rig.cli(['metrics', '--output', file])).status, 0);
    readMetrics(readFileSync(file, 'utf8'));
    assert.equal(statSync(file).mode & 0o777, 0o644);
    assert.deepEqual(readdirSync(directory), ['sallyport.prom']);
    const refused = await rig.cli(['metrics', '--output', join(directory, 'none/x.prom')]);
    assert.equal(refused.status, 1);
    assert.match(refused.err, /cannot write /);
  });

  it('replaces neither a pipe nor a link', async () => {
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const link = join(directory, 'link');
    symlinkSync('elsewhere', link);
    for (const [path, why] of [
      [pipe, /it is a pipe; the file is unchanged/],
      [link, /it is a link to elsewhere/],
    ] as const) {
      const refused = await rig.cli(['metrics', '--output', path]);
      assert.equal(refused.status, 1);
      assert.match(refused.err, why);
    }
    assert.ok(lstatSync(pipe).isFIFO());
    assert.ok(lstatSync(link).isSymbolicLink());
  });
});
