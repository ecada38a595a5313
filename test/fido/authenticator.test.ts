import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { defaultAaguid } from '../support/authenticator/credential.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  copyOf,
  eddsa,
  es256,
  type Misbehaviour,
  newAttestationCertificate,
  newRoot,
  rs256,
  startAuthenticator,
} from '../support/authenticator/index.ts';
import { compileProbe, type Probe } from '../support/authenticator/probe.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-key-'));
const socket = join(directory, 'key');
let probe: Probe;

before(async () => {
  probe = await compileProbe(directory);
});

after(() => rmSync(directory, { recursive: true, force: true }));

/** Plugged in until the test ends, and touched automatically. */
async function plugged(t: TestContext, options: Partial<AuthenticatorOptions> = {}): Promise<Authenticator> {
  const key = await startAuthenticator({ socket, autoTouch: true, ...options });
  t.after(() => key.stop());
  return key;
}

const good = 'FIDO_ERR_SUCCESS';
const round = ['make', 'verify-make', 'assert', 'verify-assert'];

/** What a round prints. */
function roundOf(fmt: string, flags: { readonly made: string; readonly asserted: string }, counter: number) {
  return [
    `make ${good}`,
    `fmt ${fmt}`,
    `made with flags ${flags.made}`,
    `verify-make ${good}`,
    `assert ${good}`,
    `asserted with flags ${flags.asserted}`,
    `counter ${counter}`,
    `verify-assert ${good}`,
  ];
}

const touchedOnly = { made: '41', asserted: '01' };
const verified = { made: '45', asserted: '05' };
const open2 = `open ${good} fido2`;
const openU2f = `open ${good}`;

describe('libfido2 creates, asserts and verifies', () => {
  it('with a key of CTAP2.1', async (t) => {
    await plugged(t);
    assert.deepEqual(await probe(socket, 'info', ...round), [
      open2,
      'versions FIDO_2_0 FIDO_2_1 U2F_V2',
      'options rk=1 up=1 plat=0 clientPin=0 pinUvAuthToken=1 makeCredUvNotRqd=1',
      'protocols 2 1',
      'algorithms -7',
      `info ${good}`,
      ...roundOf('packed', touchedOnly, 2),
    ]);
  });

  it('with one of CTAP2.0', async (t) => {
    await plugged(t, { version: '2.0', kind: 'fido2' });
    const lines = await probe(socket, 'info', ...round);
    assert.deepEqual(lines.slice(1, 4), [
      'versions FIDO_2_0',
      'options rk=1 up=1 plat=0 clientPin=0',
      'protocols 1',
    ]);
    assert.deepEqual(lines.slice(6), roundOf('packed', touchedOnly, 2));
  });

  it('with one of only U2F', async (t) => {
    await plugged(t, { kind: 'u2f' });
    assert.deepEqual(await probe(socket, ...round), [openU2f, ...roundOf('fido-u2f', touchedOnly, 2)]);
  });

  it('by U2F with a key that knows both, and by CTAP2 what was created so', async (t) => {
    await plugged(t);
    const lines = await probe(socket, 'force=u2f', ...round, 'exclude=1', 'make', 'force=fido2', 'assert');
    assert.deepEqual(lines.slice(1), [
      ...roundOf('fido-u2f', touchedOnly, 2),
      'make FIDO_ERR_CREDENTIAL_EXCLUDED',
      `assert ${good}`,
    ]);
  });

  for (const [name, algorithm] of Object.entries({ es256, eddsa, rs256 })) {
    it(`with ${name}`, async (t) => {
      await plugged(t, { algorithms: [algorithm] });
      const lines = await probe(socket, `alg=${name}`, ...round);
      assert.deepEqual(lines.slice(1), roundOf('packed', touchedOnly, 2));
    });
  }

  it("with a vendor's certificate", async (t) => {
    const { certificate, privateKey } = newAttestationCertificate(newRoot(), defaultAaguid);
    await plugged(t, { attestation: { fmt: 'packed', x5c: [certificate], privateKey } });
    assert.deepEqual((await probe(socket, ...round)).slice(1), roundOf('packed', touchedOnly, 2));
  });

  it('except what cannot be verified without attestation', async (t) => {
    await plugged(t, { attestation: 'none' });
    assert.deepEqual((await probe(socket, 'make', 'verify-make', 'assert', 'verify-assert')).slice(1), [
      `make ${good}`,
      'fmt none',
      'made with flags 41',
      'verify-make FIDO_ERR_INVALID_ARGUMENT',
      `assert ${good}`,
      'asserted with flags 01',
      'counter 2',
      `verify-assert ${good}`,
    ]);
  });

  it('with resident credentials, by name or not, silently too', async (t) => {
    const key = await plugged(t);
    await probe(socket, 'rk=1', 'user=bob', 'make', 'user=alice', 'make');
    assert.deepEqual(
      key.credentials.map(({ resident, user }) => [resident, user?.id.toString()]),
      [
        [true, 'bob'],
        [true, 'alice'],
      ],
    );
    const lines = await probe(socket, 'rk=1', 'make', 'allow=0', 'up=0', 'assert', 'verify-assert');
    assert.deepEqual(lines.slice(2), [
      `assert ${good}`,
      'asserted with flags 00',
      'counter 4',
      'user alice',
      `verify-assert ${good}`,
    ]);
    assert.equal(key.credentials.length, 2, 'a resident credential takes the place of that of the same user');
  });

  it('not with a key that stores none, nor again with one that has one', async (t) => {
    const key = await plugged(t);
    const lines = await probe(socket, 'make', 'exclude=1', 'make', 'rp=other.example', 'assert');
    assert.deepEqual(lines.slice(2), ['make FIDO_ERR_CREDENTIAL_EXCLUDED', 'assert FIDO_ERR_NO_CREDENTIALS']);
    assert.deepEqual(key.requests.at(-1)?.rpId, 'other.example');
  });
});

describe('libfido2 with a PIN', () => {
  for (const version of ['2.0', '2.1'] as const) {
    it(`of CTAP${version}`, async (t) => {
      const key = await plugged(t, { version, pin: 'péage-1234' });
      const lines = await probe(socket, 'pin=péage-1234', ...round, 'retries');
      assert.deepEqual(lines.slice(1), [...roundOf('packed', verified, 2), 'left 8', `retries ${good}`]);
      assert.ok(key.requests.some(({ command }) => /^getPinToken/.test(command)));
      assert.doesNotMatch(JSON.stringify(key.requests), /1234/);
    });
  }

  it('is set and changed', async (t) => {
    await plugged(t);
    const steps = ['pin=1234', 'set-pin', 'old=1234', 'pin=2345', 'set-pin', 'make', 'pin=1234', 'make'];
    assert.deepEqual(await probe(socket, ...steps, 'pin=abc', 'old=2345', 'set-pin'), [
      open2,
      `set-pin ${good}`,
      `set-pin ${good}`,
      `make ${good}`,
      'make FIDO_ERR_PIN_INVALID',
      'set-pin FIDO_ERR_PIN_POLICY_VIOLATION',
    ]);
  });

  it('is counted when wrong: three until it is pulled out, eight in all', async (t) => {
    const key = await plugged(t, { pin: '1234' });
    const wrong = ['pin=4321', 'make', 'make', 'make'];
    const invalid = 'make FIDO_ERR_PIN_INVALID';
    const untilReplugged = 'make FIDO_ERR_PIN_AUTH_BLOCKED';
    assert.deepEqual(await probe(socket, ...wrong, 'pin=1234', 'make'), [
      open2,
      invalid,
      invalid,
      untilReplugged,
      untilReplugged,
    ]);
    assert.equal(key.pinRetries, 5);
    await key.unplug();
    await key.plug();
    assert.deepEqual((await probe(socket, ...wrong)).slice(1), [invalid, invalid, untilReplugged]);
    await key.unplug();
    await key.plug();
    const lines = await probe(socket, ...wrong, 'pin=1234', 'make');
    const blocked = 'make FIDO_ERR_PIN_BLOCKED';
    assert.deepEqual(lines.slice(1), [invalid, blocked, blocked, blocked]);
  });

  it('resets the count when it is right', async (t) => {
    const key = await plugged(t, { pin: '1234' });
    await probe(socket, 'pin=4321', 'make', 'make', 'pin=1234', 'make');
    assert.equal(key.pinRetries, 8);
  });

  it('is needed for new credentials of a key of CTAP2.0 that has one', async (t) => {
    await plugged(t, { pin: '1234', version: '2.0' });
    assert.deepEqual(await probe(socket, 'make'), [open2, 'make FIDO_ERR_PIN_REQUIRED']);
  });

  for (const version of ['2.0', '2.1'] as const) {
    it(`or a fingerprint instead, of CTAP${version}`, async (t) => {
      const key = await plugged(t, { version, builtInUv: true });
      assert.deepEqual((await probe(socket, 'uv=1', ...round)).slice(1), roundOf('packed', verified, 2));
      assert.equal(key.blinkCount, 2);
    });
  }
});

describe('libfido2 and a touch', () => {
  for (const kind of ['fido2', 'u2f'] as const) {
    it(`of ${kind}, to choose a key`, async (t) => {
      const key = await plugged(t, { kind, autoTouch: false });
      const touching = probe(socket, 'touch');
      await key.blinks();
      key.touch();
      assert.equal((await touching)[1], `touch ${good}`);
      await key.rests();
    });
  }

  it('that does not come is cancelled', async (t) => {
    const key = await plugged(t, { autoTouch: false });
    const lines = await probe(socket, 'timeout=100', 'make', 'cancel');
    assert.deepEqual(lines.slice(1), ['make FIDO_ERR_RX', `cancel ${good}`]);
    await key.rests();
    assert.equal(key.cancelled, 1);
  });

  it('of a key that is pulled out first', async (t) => {
    const key = await plugged(t, { autoTouch: false });
    const making = probe(socket, 'make');
    await key.blinks();
    await key.unplug();
    assert.deepEqual((await making).slice(1), ['make FIDO_ERR_RX']);
  });
});

describe('libfido2 sees the counter', () => {
  const counters = (lines: readonly string[]) => lines.filter((line) => line.startsWith('counter'));
  const twice = ['assert', 'verify-assert', 'assert', 'verify-assert'];

  it('of all credentials together, of each, or none', async (t) => {
    const found: Record<string, readonly string[]> = {};
    for (const counter of ['global', 'credential', 'zero'] as const) {
      const key = await plugged(t, { counter });
      found[counter] = counters(await probe(socket, 'make', ...twice, 'rp=other.example', 'make', 'assert'));
      await key.stop();
    }
    assert.deepEqual(found, {
      global: ['counter 2', 'counter 3'],
      credential: ['counter 1', 'counter 2'],
      zero: ['counter 0', 'counter 0'],
    });
  });

  it('step back, by the key or by the test', async (t) => {
    const key = await plugged(t);
    key.counter = 100;
    const making = ['make', 'assert', 'verify-assert'];
    assert.deepEqual(counters(await probe(socket, ...making)), ['counter 102']);
    key.misbehaviour = { steppedBackCounter: true };
    assert.deepEqual(counters(await probe(socket, ...making)), ['counter 98']);
    key.misbehaviour = {};
    key.counter = 7;
    assert.deepEqual(counters(await probe(socket, ...making)), ['counter 9']);
  });

  it('of a clone diverge', async (t) => {
    const key = await plugged(t);
    await probe(socket, 'rk=1', 'make');
    const clone = await startAuthenticator({
      socket: join(directory, 'clone'),
      autoTouch: true,
      credentials: copyOf(key.credentials),
    });
    t.after(() => clone.stop());
    assert.deepEqual(await probe(clone.socket, 'allow=0', 'assert'), [open2, `assert ${good}`]);
    assert.deepEqual([clone.counter, key.counter], [2, 1]);
  });
});

describe('libfido2 and a key that misbehaves', () => {
  const asked = ['timeout=300', 'make'];
  const cases: readonly (readonly [string, Misbehaviour, string])[] = [
    ['hangs', { silentHang: true }, 'FIDO_ERR_RX'],
    ['stops amid a report', { truncatedReports: true }, 'FIDO_ERR_RX'],
    ['sends random reports', { rubbish: 'reports' }, 'FIDO_ERR_RX'],
    ['sends too long a message', { rubbish: 'length' }, 'FIDO_ERR_RX'],
    ['sends parts out of order', { rubbish: 'sequence' }, 'FIDO_ERR_RX'],
    ['answers another command', { rubbish: 'command' }, 'FIDO_ERR_RX'],
    ['sends half of its CBOR', { rubbish: 'cbor' }, 'FIDO_ERR_RX_NOT_CBOR'],
    ['sends other types', { rubbish: 'types' }, 'FIDO_ERR_RX_INVALID_CBOR'],
    ['sends nothing', { rubbish: 'empty' }, 'FIDO_ERR_RX'],
  ];
  for (const [what, misbehaviour, code] of cases) {
    it(`and ${what}`, async (t) => {
      const key = await plugged(t);
      key.misbehaviour = misbehaviour;
      assert.deepEqual(await probe(socket, ...asked), [open2, `make ${code}`]);
      key.misbehaviour = { ...misbehaviour, atOpen: true };
      const [opened] = await probe(socket, ...asked);
      assert.equal(opened, 'open FIDO_ERR_RX');
    });
  }

  it('and floods it with keepalives', async (t) => {
    const key = await plugged(t, { autoTouch: false });
    key.misbehaviour = { floodKeepalives: true };
    const making = probe(socket, ...round);
    for (let keyRequests = 0; keyRequests < 2; keyRequests += 1) {
      await key.blinks();
      key.touch();
    }
    assert.deepEqual((await making).slice(1), roundOf('packed', touchedOnly, 2));
  });

  it('and signs something else', async (t) => {
    const key = await plugged(t);
    key.misbehaviour = { wrongSignature: true };
    const lines = await probe(socket, ...round);
    assert.ok(lines.includes('verify-make FIDO_ERR_INVALID_SIG'));
    assert.ok(lines.includes('verify-assert FIDO_ERR_INVALID_SIG'));
  });

  it('and leaves out flags', async (t) => {
    const key = await plugged(t, { pin: '1234' });
    key.misbehaviour = { noUvFlag: true };
    const lines = await probe(socket, 'pin=1234', ...round);
    assert.deepEqual(lines.slice(1), roundOf('packed', touchedOnly, 2));
    key.misbehaviour = { noUpFlag: true };
    const absent = await probe(socket, 'up=1', ...round);
    assert.ok(absent.includes('verify-make FIDO_ERR_INVALID_PARAM'));
    assert.ok(absent.includes('verify-assert FIDO_ERR_INVALID_PARAM'));
  });
});
