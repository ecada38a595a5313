import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { type Cbor, cborMap, decode, encode } from '../support/authenticator/cbor.ts';
import { ctap2Command } from '../support/authenticator/ctap2.ts';
import { broadcast, capability, fragments, hid, hidError } from '../support/authenticator/ctaphid.ts';
import { HidClient } from '../support/authenticator/hid-client.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  startAuthenticator,
} from '../support/authenticator/index.ts';
import { status } from '../support/authenticator/status.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-key-'));
const socket = join(directory, 'key');

after(() => rmSync(directory, { recursive: true, force: true }));

interface Plugged {
  readonly key: Authenticator;
  readonly client: HidClient;
  readonly channel: number;
  readonly capabilities: number;
}

async function plugged(t: TestContext, options: Partial<AuthenticatorOptions> = {}): Promise<Plugged> {
  const key = await startAuthenticator({ socket, ...options });
  t.after(() => key.stop());
  const client = await HidClient.connect(socket);
  return { key, client, ...(await client.open()) };
}

const makeRequest = cborMap(
  [1, Buffer.alloc(32, 1)],
  [2, cborMap(['id', 'login.example'], ['name', 'a test'])],
  [3, cborMap(['id', Buffer.from('alice')], ['name', 'alice'])],
  [4, [cborMap(['alg', -7], ['type', 'public-key'])]],
);
const error = (code: number) => ({ command: hid.error, payload: Buffer.of(code) });

async function failsWith(client: HidClient, channel: number, code: number): Promise<void> {
  assert.deepEqual(await client.message(), { channel, ...error(code) });
}

describe('CBOR', () => {
  it('puts the keys of maps in order', () => {
    const entries = [
      ['bb', 1],
      ['a', 2],
      [-1, 3],
      [300, 4],
      [2, 5],
      ['', 6],
    ] as const;
    const map = decode(encode(new Map<number | string, Cbor>(entries)));
    assert.ok(map instanceof Map);
    assert.deepEqual([...map.keys()], [2, 300, -1, '', 'a', 'bb']);
  });

  it('is read back', () => {
    const numbers = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40, -1, -24, -25, -257];
    const value = [...numbers, 'é', true, false, null, Buffer.alloc(300, 5), [[]], new Map([[1, [2]]])];
    assert.deepEqual(decode(encode(value)), value);
  });

  it('is rejected when it is longer than necessary, out of order, short or too long', () => {
    for (const hex of ['1801', '190001', 'a202010101', '43ff', 'a101', '0000', '5f', 'c001', 'f90000', '']) {
      assert.throws(() => decode(Buffer.from(hex, 'hex')), /./, hex);
    }
  });
});

describe('CTAPHID', () => {
  it('reports what a key can do', async (t) => {
    const kinds = { both: capability.cbor, fido2: capability.cbor | capability.noMsg, u2f: 0 } as const;
    for (const kind of ['both', 'fido2', 'u2f'] as const) {
      const { capabilities, key } = await plugged(t, { kind });
      assert.equal(capabilities, capability.wink | kinds[kind]);
      await key.stop();
    }
  });

  it('returns what is sent, in as many parts as needed', async (t) => {
    const { client, channel } = await plugged(t);
    for (const length of [0, 1, 57, 58, 116, 117, 7609]) {
      const payload = randomBytes(length);
      assert.deepEqual(await client.ask(channel, hid.ping, payload), { channel, command: hid.ping, payload });
    }
    assert.equal((await client.ask(channel, hid.wink)).command, hid.wink);
  });

  it('rejects messages out of order, too long, of no channel or unknown', async (t) => {
    const { client, channel } = await plugged(t, { kind: 'fido2' });
    const [first, , third] = fragments(channel, hid.ping, randomBytes(200));
    assert.ok(first !== undefined && third !== undefined);
    client.raw(first, third);
    await failsWith(client, channel, hidError.invalidSequence);
    client.raw(first, first);
    await failsWith(client, channel, hidError.invalidSequence);
    const long = Buffer.from(first);
    long.writeUInt16BE(7610, 5);
    client.raw(long);
    await failsWith(client, channel, hidError.invalidLength);
    client.send(4711, hid.ping);
    await failsWith(client, 4711, hidError.invalidChannel);
    client.send(channel, 0x22);
    await failsWith(client, channel, hidError.invalidCommand);
    client.send(channel, hid.msg, Buffer.alloc(7));
    await failsWith(client, channel, hidError.invalidCommand);
    client.send(broadcast, hid.init, Buffer.alloc(7));
    await failsWith(client, broadcast, hidError.invalidLength);
  });

  it('is busy for others while it waits, and serves them afterwards', async (t) => {
    const { key, client, channel } = await plugged(t);
    const making = client.ctap2(channel, ctap2Command.makeCredential, makeRequest);
    await key.blinks();
    const other = await HidClient.connect(socket);
    const theirs = await other.open();
    other.send(theirs.channel, hid.ping);
    await failsWith(other, theirs.channel, hidError.channelBusy);
    key.touch();
    assert.equal((await making).status, status.ok);
    assert.equal((await other.ask(theirs.channel, hid.ping)).command, hid.ping);
  });

  it('starts over when a channel is opened again', async (t) => {
    const { key, client, channel } = await plugged(t);
    client.send(channel, hid.cbor, Buffer.concat([Buffer.of(1), encode(makeRequest)]));
    await key.blinks();
    assert.equal((await client.ask(channel, hid.init, randomBytes(8))).payload.readUInt32BE(8), channel);
    assert.equal(key.blinking, false);
    key.autoTouch = true;
    assert.equal((await client.ctap2(channel, ctap2Command.makeCredential, makeRequest)).status, status.ok);
    assert.equal(key.credentials.length, 1);
  });
});

describe('a key that waits for a touch', () => {
  it('reports it until it is touched', async (t) => {
    const { key, client, channel } = await plugged(t);
    const selecting = client.ctap2(channel, ctap2Command.selection);
    await key.blinks();
    key.touch();
    assert.equal((await selecting).status, status.ok);
    assert.deepEqual([client.keepalives[0], key.blinking, key.blinkCount], [2, false, 1]);
  });

  it('accepts an earlier touch without blinking', async (t) => {
    const { key, client, channel } = await plugged(t);
    key.touch();
    assert.equal((await client.ctap2(channel, ctap2Command.selection)).status, status.ok);
    assert.equal(key.blinkCount, 0);
  });

  it('is cancelled', async (t) => {
    const { key, client, channel } = await plugged(t);
    const making = client.ctap2(channel, ctap2Command.makeCredential, makeRequest);
    await key.blinks();
    client.send(channel, hid.cancel);
    assert.equal((await making).status, status.keepaliveCancel);
    assert.deepEqual([key.cancelled, key.credentials.length], [1, 0]);
    assert.deepEqual(
      key.requests.map(({ command }) => command),
      ['INIT', 'makeCredential', 'CANCEL'],
    );
  });

  it('times out', async (t) => {
    const { client, channel } = await plugged(t, { userActionTimeout: 30 });
    const { status: code } = await client.ctap2(channel, ctap2Command.selection);
    assert.equal(code, status.userActionTimeout);
  });

  it('reports processing', async (t) => {
    const { client, channel } = await plugged(t, { processing: 30, autoTouch: true });
    assert.equal((await client.ctap2(channel, ctap2Command.makeCredential, makeRequest)).status, status.ok);
    assert.equal(client.keepalives[0], 1);
  });

  it('is pulled out, and restored unchanged', async (t) => {
    const { key, client, channel } = await plugged(t);
    const making = client.ctap2(channel, ctap2Command.makeCredential, makeRequest);
    await key.blinks();
    await key.unplug();
    await assert.rejects(making, /hung up/);
    assert.deepEqual([key.blinking, existsSync(socket)], [false, false]);
    await key.plug();
    key.touch();
    const again = await HidClient.connect(socket);
    const { channel: anew } = await again.open();
    assert.equal((await again.ctap2(anew, ctap2Command.makeCredential, makeRequest)).status, status.ok);
  });

  it('keeps blinking when its host has ended: it is not notified', async (t) => {
    const { key, client, channel } = await plugged(t);
    client.send(channel, hid.cbor, Buffer.of(ctap2Command.selection));
    await key.blinks();
    client.close();
    const other = await HidClient.connect(socket);
    await other.open();
    assert.equal(key.blinking, true);
  });
});

describe('a finger on the sensor', () => {
  const request = new Map([...makeRequest, [7, cborMap(['uv', true])]]);

  it('that is unknown is refused, three times', async (t) => {
    const { key, client, channel } = await plugged(t, { builtInUv: true });
    const codes: number[] = [];
    for (const finger of ['right', 'wrong', 'wrong', 'wrong', 'right'] as const) {
      key.touch(finger);
      codes.push((await client.ctap2(channel, ctap2Command.makeCredential, request)).status);
    }
    const { ok, uvInvalid, uvBlocked } = status;
    assert.deepEqual(codes, [ok, uvInvalid, uvInvalid, uvBlocked, uvBlocked]);
  });
});

describe('CTAP2', () => {
  const changed = (...entries: readonly (readonly [number, Cbor])[]) =>
    new Map<number, Cbor>([...(makeRequest as ReadonlyMap<number, Cbor>), ...entries]);
  const without = (gone: number) => new Map([...makeRequest].filter(([key]) => key !== gone));
  const refusals: readonly (readonly [string, Partial<AuthenticatorOptions>, Cbor, number])[] = [
    ['nothing', {}, new Map(), status.missingParameter],
    ['no user', {}, without(3), status.missingParameter],
    ['another type', {}, changed([1, 'text']), status.unexpectedType],
    ['no touch', {}, changed([7, cborMap(['up', false])]), status.invalidOption],
    ['verification without any', {}, changed([7, cborMap(['uv', true])]), status.invalidOption],
    ['a resident key of one without', { residentKeys: false }, changed([7, cborMap(['rk', true])]), 0x2b],
    ['one more than fits', { residentRoom: 0 }, changed([7, cborMap(['rk', true])]), status.keyStoreFull],
    ['a resident key without PIN', { pin: '1234' }, changed([7, cborMap(['rk', true])]), status.pinRequired],
    ['any without PIN', { pin: '1234', makeCredUvNotRqd: false }, makeRequest, status.pinRequired],
    ['another algorithm', { algorithms: [-8] }, makeRequest, status.unsupportedAlgorithm],
    ['an unknown protocol', { pin: '1234' }, changed([8, Buffer.alloc(32)], [9, 3]), status.invalidParameter],
    ['a wrong proof', { pin: '1234' }, changed([8, Buffer.alloc(32)], [9, 2]), status.pinAuthInvalid],
    ['an empty proof', { pin: '1234' }, changed([8, Buffer.alloc(0)], [9, 2]), status.pinInvalid],
    ['an empty proof, no PIN set', {}, changed([8, Buffer.alloc(0)], [9, 2]), status.pinNotSet],
  ];
  for (const [what, options, request, code] of refusals) {
    it(`refuses to create with ${what}`, async (t) => {
      const { key, client, channel } = await plugged(t, { autoTouch: true, ...options });
      const answer = await client.ctap2(channel, ctap2Command.makeCredential, request);
      assert.deepEqual([answer.status, key.credentials.length], [code, 0]);
    });
  }

  it('refuses what is not CBOR, and unknown commands', async (t) => {
    const { client, channel } = await plugged(t);
    const codes = [];
    for (const hex of ['01', '01a1', '0101', '42', '0a'])
      codes.push((await client.ask(channel, hid.cbor, Buffer.from(hex, 'hex'))).payload.toString('hex'));
    assert.deepEqual(codes, ['12', '12', '11', '01', '01']);
  });

  it('is emptied by a reset', async (t) => {
    const { key, client, channel } = await plugged(t, { autoTouch: true });
    await client.ctap2(channel, ctap2Command.makeCredential, makeRequest);
    assert.equal((await client.ctap2(channel, ctap2Command.reset)).status, status.ok);
    assert.equal(key.credentials.length, 0);
  });
});

describe('U2F', () => {
  const apdu = (hex: string, data: Buffer = Buffer.alloc(0)) =>
    Buffer.concat([Buffer.from(hex, 'hex'), Buffer.of(0, data.length >>> 8, data.length & 0xff), data]);

  it('answers by status words', async (t) => {
    const { key, client, channel } = await plugged(t, { kind: 'u2f' });
    const word = async (request: Buffer) => {
      const { payload } = await client.ask(channel, hid.msg, request);
      return payload.subarray(-2).toString('hex');
    };
    assert.equal(await word(Buffer.from('00030000', 'hex')), '9000');
    assert.equal(await word(Buffer.from('00030000000000', 'hex')), '9000');
    assert.equal(await word(apdu('00010000', randomBytes(63))), '6700');
    assert.equal(await word(apdu('00010000', randomBytes(64))), '6985');
    assert.equal(key.blinking, true);
    key.touch();
    const application = randomBytes(32);
    assert.equal(await word(apdu('00010000', Buffer.concat([randomBytes(32), application]))), '9000');
    assert.equal(key.blinking, false);
    const [credential] = key.credentials;
    assert.ok(credential !== undefined);
    const ask = (hash: Buffer) =>
      Buffer.concat([randomBytes(32), hash, Buffer.of(credential.id.length), credential.id]);
    assert.equal(await word(apdu('00020700', ask(application))), '6985');
    assert.equal(await word(apdu('00020300', ask(application))), '6985');
    assert.equal(await word(apdu('00020800', ask(application))), '9000');
    assert.equal(await word(apdu('00020300', ask(randomBytes(32)))), '6a80');
    assert.equal(await word(apdu('00050000')), '6d00');
    assert.equal(await word(apdu('01030000')), '6e00');
    key.touch();
    assert.equal(await word(apdu('00020300', ask(application))), '9000');
  });
});
