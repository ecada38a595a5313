import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { createLog } from '../../../daemon/lib/log.ts';
import { type Certificate, createCertificate } from '../../../portal/http/tls.ts';
import { until } from '../../support/call.ts';
import { ask, type PortalRig, rawSocket, secureOrigin, startPortal } from '../../support/portal-rig.ts';

let directory: string;
let rig: PortalRig;
let certificate: Certificate;
const logged: string[] = [];
const file = (name: string) => join(directory, name);

function make(name: string): void {
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)],
    ],
    { stdio: 'ignore' },
  );
}

/** Points the links that the portal reads at a pair, each in one step, as renewal tools do. */
function use(cert: string, key: string): void {
  for (const [link, target] of [
    ['live.crt', cert],
    ['live.key', key],
  ] as const) {
    symlinkSync(file(target), file(`${link}.new`));
    renameSync(file(`${link}.new`), file(link));
  }
}

function shown(version?: 'TLSv1.1' | 'TLSv1.2'): Promise<string> {
  return new Promise((resolve, reject) => {
    const limit = version === undefined ? {} : ({ minVersion: version, maxVersion: version } as const);
    const socket = connect({ host: '127.0.0.1', port: rig.port, rejectUnauthorized: false, ...limit }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
  for (const name of ['one', 'two']) make(name);
  use('one.crt', 'one.key');
  certificate = createCertificate(
    { certFile: file('live.crt'), keyFile: file('live.key') },
    createLog((line) => logged.push(line), false),
    (pair) => rig.server.setCertificate(pair),
    50,
  );
  rig = await startPortal({
    origins: [secureOrigin],
    tls: certificate.first,
    limits: { headWait: 400, checkInterval: 50 },
  });
});
after(async () => {
  certificate.close();
  await rig.close();
  rmSync(directory, { recursive: true });
});

describe('TLS', () => {
  it('serves the certificate, from version 1.2 on', async () => {
    assert.equal(await shown(), 'one');
    assert.equal(await shown('TLSv1.2'), 'one');
    await assert.rejects(shown('TLSv1.1'));
  });

  it('takes a new pair without a restart', async () => {
    use('two.crt', 'two.key');
    await until(
      'the new one',
      () => logged.filter((line) => line.includes('certificate-loaded')).length === 2,
    );
    assert.equal(await shown(), 'two');
  });

  it('keeps the old pair while the new one is invalid, and says so once', async () => {
    const bad = () => logged.filter((line) => line.includes('certificate-bad')).length;
    use('one.crt', 'two.key');
    await until('a line', () => bad() === 1);
    assert.equal(await shown(), 'two');
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(bad(), 1);
    writeFileSync(file('half.crt'), '-----BEGIN CERTIFICATE-----\nMIIB');
    use('half.crt', 'one.key');
    await until('another line', () => bad() === 2);
    assert.equal(await shown(), 'two');
    use('one.crt', 'one.key');
    await until('a good one', () => logged.at(-1)?.includes('certificate-loaded') === true);
    assert.equal(await shown(), 'one');
  });

  it('does not start with an invalid pair', () => {
    const log = createLog(() => undefined, false);
    for (const files of [
      { certFile: file('one.crt'), keyFile: file('two.key') },
      { certFile: file('absent'), keyFile: file('two.key') },
    ])
      assert.throws(() => createCertificate(files, log, () => undefined), /one\.crt|absent/);
  });

  it('counts its connections, and drops those without a handshake', async () => {
    const silent = await rawSocket(rig);
    await until('it', () => rig.server.connections() > 0);
    await new Promise((resolve) => silent.once('close', resolve));
    await until('nobody', () => rig.server.connections() === 0);
  });

  it('rejects plain HTTP', async () => {
    await assert.rejects(ask(rig, 'GET /healthz'));
  });
});
