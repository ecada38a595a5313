import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import {
  createValidationClient,
  type ValidationOptions,
} from '../../../daemon/authenticators/yubikey-otp-validation.ts';
import { otp } from '../../support/yubikey.ts';

const key = randomBytes(20);
const press = otp({ use: 1, session: 1 });
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

type Fields = Record<string, string>;

/** As the protocol specifies it, and not as the client does it. */
function signed(fields: Fields, under = key): string {
  const text = Object.keys(fields)
    .sort()
    .map((name) => `${name}=${fields[name]}`)
    .join('&');
  const h = createHmac('sha1', under).update(text).digest('base64');
  return Object.entries({ h, ...fields })
    .map(([name, value]) => `${name}=${value}\r\n`)
    .join('');
}

function asked(request: IncomingMessage): Fields {
  return Object.fromEntries(new URL(request.url ?? '', 'http://x').searchParams);
}

const answering =
  (status: string, change: Fields = {}, under = key): RequestListener =>
  (request, response) => {
    const { otp: given = '', nonce = '' } = asked(request);
    response.end(
      signed({ t: '2026-01-01T00:00:00Z0001', otp: given, nonce, sl: '100', status, ...change }, under),
    );
  };
const silent: RequestListener = () => undefined;

async function serve(listener: RequestListener, server: Server = createServer()): Promise<string> {
  servers.push(server.on('request', listener).listen(0, '127.0.0.1'));
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/wsapi/2.0/verify`;
}

const validate = (addresses: readonly string[], changes: Partial<ValidationOptions> = {}) =>
  createValidationClient({ servers: addresses, clientId: '7', key, deadline: 5_000, ...changes }).validate(
    press,
  );

async function whyNot(listener: RequestListener, changes: Partial<ValidationOptions> = {}): Promise<string> {
  const validation = await validate([await serve(listener)], changes);
  assert.equal(validation.outcome, 'unavailable');
  const why = validation.outcome === 'unavailable' ? validation.why.join() : '';
  for (const secret of [press, press.slice(12), key.toString('base64')])
    assert.ok(!why.includes(secret), why);
  return why;
}

describe('one server', () => {
  it('is sent id, OTP, a new nonce and a signature over all of them', async () => {
    const seen: Fields[] = [];
    const server = await serve((request, response) => {
      seen.push(asked(request));
      answering('OK')(request, response);
    });
    for (let time = 0; time < 20; time += 1) assert.deepEqual(await validate([server]), { outcome: 'valid' });
    for (const { h, ...fields } of seen) {
      assert.deepEqual(Object.keys(fields).sort(), ['id', 'nonce', 'otp']);
      assert.match(fields.nonce ?? '', /^[0-9a-zA-Z]{16,40}$/);
      assert.ok(signed(fields).startsWith(`h=${h}\r\n`));
    }
    assert.equal(new Set(seen.map(({ nonce }) => nonce)).size, 20);
  });

  it('reports that an OTP is wrong, or was used', async () => {
    for (const [status, reason] of [
      ['BAD_OTP', 'wrong'],
      ['REPLAYED_OTP', 'replay'],
      ['DELAYED_OTP', 'replay'],
    ] as const)
      assert.deepEqual(await validate([await serve(answering(status))]), { outcome: 'refused', reason });
  });

  it('without a result is no verdict, and the reason is reported', async () => {
    for (const [status, why] of [
      ['BACKEND_ERROR', /internal error/],
      ['NOT_ENOUGH_ANSWERS', /peers/],
      ['REPLAYED_REQUEST', /before/],
      ['BAD_SIGNATURE', /client id and key/],
      ['NO_SUCH_CLIENT', /client id/],
      ['OPERATION_NOT_ALLOWED', /may not/],
      ['MISSING_PARAMETER', /missing parameter/],
      ['ok', /unknown/],
      ['', /unknown/],
    ] as const)
      assert.match(await whyNot(answering(status)), why);
  });

  it('with a forged response is not trusted, whatever it reports', async () => {
    for (const status of ['OK', 'BAD_OTP', 'REPLAYED_OTP']) {
      assert.match(await whyNot(answering(status, {}, randomBytes(20))), /signature is wrong/);
      assert.match(await whyNot(answering(status, { nonce: 'f'.repeat(32) })), /another request/);
      assert.match(await whyNot(answering(status, { otp: otp({ use: 1, session: 2 }) })), /another request/);
      assert.match(await whyNot((_, response) => response.end(`status=${status}\r\n`)), /signature is wrong/);
      assert.match(
        await whyNot((_, response) => response.end(`status=${status}\r\nh=\r\n`)),
        /signature is wrong/,
      );
    }
    const replayed: RequestListener = (_, response) =>
      response.end(signed({ otp: press, nonce: 'a'.repeat(32), status: 'OK' }));
    assert.match(await whyNot(replayed), /another request/);
    const twice: RequestListener = (request, response) => {
      const { otp: given = '', nonce = '' } = asked(request);
      response.end(`status=OK\r\n${signed({ otp: given, nonce, status: 'BAD_OTP' })}`);
    };
    assert.match(await whyNot(twice), /malformed/);
  });

  it('that sends garbage, endless data, cut responses or redirects is no verdict', async () => {
    assert.match(await whyNot((_, response) => response.end('rubbish\r\n')), /malformed/);
    for (let time = 0; time < 50; time += 1) await whyNot((_, response) => response.end(randomBytes(500)));
    assert.match(await whyNot((_, response) => response.end('a'.repeat(100_000))), /too long/);
    assert.match(await whyNot((_, response) => response.writeHead(500).end()), /HTTP status 500/);
    assert.match(
      await whyNot((_, response) => response.writeHead(302, { location: '/' }).end()),
      /HTTP status 302/,
    );
    assert.match(await whyNot((request) => request.socket.destroy()), /cannot be reached \(ECONNRESET\)/);
    const half: RequestListener = (request, response) => {
      response.writeHead(200, { 'content-length': 5_000 }).write('status=OK\r\n');
      setImmediate(() => request.socket.destroy());
    };
    assert.match(await whyNot(half), /cannot be reached|cut off/);
    assert.match(await whyNot(silent, { deadline: 50 }), /no answer in time/);
    const nobody = await validate(['http://127.0.0.1:1/', 'nonsense']);
    assert.ok(nobody.outcome === 'unavailable');
    assert.match(
      nobody.why.toSorted().join(),
      /127\.0\.0\.1:1: it cannot be reached \(ECONNREFUSED\).*invalid address/,
    );
    assert.equal((await validate([])).outcome, 'unavailable');
  });
});

describe('several servers', () => {
  it('are asked concurrently, and the first verdict decides; the other requests are aborted', async () => {
    let ended = 0;
    const hangs: RequestListener = (request) => request.socket.on('close', () => (ended += 1));
    const away = 'http://127.0.0.1:1/';
    for (const [status, outcome] of [
      ['OK', 'valid'],
      ['REPLAYED_OTP', 'refused'],
    ] as const) {
      const slow = await serve(hangs);
      const liar = await serve(answering('OK', {}, randomBytes(20)));
      const busy = await serve(answering('REPLAYED_REQUEST'));
      const good = await serve(answering(status));
      assert.equal((await validate([slow, away, liar, busy, good])).outcome, outcome);
    }
    while (ended < 2) await new Promise((resolve) => setImmediate(resolve));
  });

  it('that all fail are all named', async () => {
    const validation = await validate([await serve(answering('BACKEND_ERROR')), await serve(silent)], {
      deadline: 200,
    });
    assert.ok(validation.outcome === 'unavailable');
    assert.equal(validation.why.length, 2);
  });
});

describe('over TLS', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
    for (const [name, host] of [
      ['right', 'IP:127.0.0.1'],
      ['other', 'DNS:elsewhere.example'],
    ] as const)
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-days',
          '2',
          '-subj',
          '/CN=test',
          '-addext',
          `subjectAltName=${host}`,
        ].concat(['-keyout', join(directory, `${name}.key`), '-out', join(directory, `${name}.pem`)]),
        { stdio: 'ignore' },
      );
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  const pem = (file: string) => readFileSync(join(directory, file), 'utf8');
  const tls = async (name: string) =>
    (
      await serve(answering('OK'), createTlsServer({ key: pem(`${name}.key`), cert: pem(`${name}.pem`) }))
    ).replace('http:', 'https:');

  it('accepts the configured CA, for the requested name', async () => {
    assert.deepEqual(await validate([await tls('right')], { ca: pem('right.pem') }), { outcome: 'valid' });
  });

  it('rejects a certificate of another name, or of another CA', async () => {
    for (const [name, ca] of [
      ['other', 'other'],
      ['right', 'other'],
    ] as const) {
      const validation = await validate([await tls(name)], { ca: pem(`${ca}.pem`) });
      assert.ok(validation.outcome === 'unavailable');
      assert.match(validation.why.join(), /cannot be reached \((?:ERR_TLS_CERT|DEPTH_ZERO_SELF|UNABLE)/);
    }
    assert.equal((await validate([await tls('right')])).outcome, 'unavailable');
  });
});
