import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Parsed, Parser } from '../../../cli/import/contract.ts';
import { csv } from '../../../cli/import/csv.ts';
import { googleAuthenticator } from '../../../cli/import/google-authenticator.ts';
import { oath } from '../../../cli/import/oath.ts';
import { proxmox } from '../../../cli/import/proxmox.ts';
import { pskc } from '../../../cli/import/pskc.ts';
import { u2f } from '../../../cli/import/u2f.ts';
import { yubico } from '../../../cli/import/yubico.ts';
import { all, golden, sourceOf } from '../../support/import-source.ts';

/** Each format, from files written by hand after its specification: the complete content. */

const secret = Buffer.from('12345678901234567890').toString('base64');
const token = { enabled: true, secret, digits: 6, algorithm: 'sha1' } as const;
const total = { kind: 'totp', period: 30, drift: 0 } as const;

async function read(parse: Parser, name: string): Promise<Record<string, unknown>> {
  const said = (await all(parse, golden(name))).map((one): [string, unknown] => {
    if (one.kind === 'problem') return [one.user ?? `line ${one.place.line}`, one.why];
    const { factors, cannot, lock, owner } = one;
    const user = one.user ?? `uid ${owner}`;
    const more = {
      ...(cannot.length > 0 && { cannot: cannot.map(({ what }) => what) }),
      ...(lock && { lock }),
    };
    return [user, Object.keys(more).length > 0 ? { factors, ...more } : factors];
  });
  assert.equal(new Set(said.map(([user]) => user)).size, said.length, 'each user once');
  return Object.fromEntries(said);
}

describe('google-authenticator', () => {
  const one = async (text: string, user?: string): Promise<Parsed | undefined> =>
    (await all(googleAuthenticator(user === undefined ? {} : { user }), sourceOf(text)))[0];

  test('TOTP: the highest used step is the last-used counter, the skew the drift, the codes a set', async () => {
    assert.deepEqual(await read(googleAuthenticator({ user: 'alice' }), 'google-totp'), {
      alice: [
        { ...token, ...total, name: 'Google Authenticator', drift: 2, mark: 56666668 },
        { kind: 'scratch', enabled: true, codes: ['12345678', '87654321', '99999999'] },
      ],
    });
  });

  test('spaces after a code are ignored, and a line of spaces before garbage costs no time', async () => {
    const text = `${'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'}\n" TOTP_AUTH\n12345678 \t\r\n${' '.repeat(65_000)}x\n`;
    const parsed = await one(text, 'alice');
    assert.ok(parsed?.kind === 'found');
    const [, scratch] = parsed.factors;
    assert.deepEqual(scratch, { kind: 'scratch', enabled: true, codes: ['12345678'] });
  });

  test('HOTP: the next counter', async () => {
    assert.deepEqual(await read(googleAuthenticator({ user: 'alice' }), 'google-hotp'), {
      alice: [
        { ...token, kind: 'hotp', name: 'Google Authenticator', counter: 42 },
        { kind: 'scratch', enabled: true, codes: ['10000001'] },
      ],
    });
  });

  test('the hardened fork: seconds become steps', async () => {
    assert.deepEqual(await read(googleAuthenticator({ user: 'alice' }), 'google-hardened'), {
      alice: [
        {
          ...token,
          ...total,
          name: 'Google Authenticator',
          digits: 8,
          algorithm: 'sha256',
          period: 60,
          mark: Math.floor(1700000059 / 60),
        },
      ],
    });
  });

  test('without a list of used codes: the last-used counter is now; an unknown line ends the codes', async () => {
    assert.deepEqual(await read(googleAuthenticator({ user: 'alice' }), 'google-reuse'), {
      alice: [
        { ...token, ...total, name: 'Google Authenticator', mark: 'now' },
        { kind: 'scratch', enabled: true, codes: ['12345678'] },
      ],
    });
  });

  test('without a name: it belongs to the owner of the file', async () => {
    const [parsed] = await all(
      googleAuthenticator({}),
      sourceOf('GEZDGNBVGY3TQOJQ\n" TOTP_AUTH\n', { uid: 1_000 }),
    );
    assert.ok(parsed?.kind === 'found');
    assert.deepEqual([parsed.user, parsed.owner], [undefined, 1_000]);
  });

  test('files of root outside a home belong to no account unless specified by name or in the command', async () => {
    const text = 'GEZDGNBVGY3TQOJQ\n" TOTP_AUTH\n';
    const nobody = await all(googleAuthenticator({}), sourceOf(text, { file: '/etc/ga/alice' }));
    assert.deepEqual(
      nobody.map(({ kind, user }) => [kind, user]),
      [['problem', undefined]],
    );
    const named = await all(googleAuthenticator({ byName: true }), sourceOf(text, { file: '/etc/ga/alice' }));
    assert.deepEqual(
      named.map(({ kind, user }) => [kind, user]),
      [['found', 'alice']],
    );
  });

  test('0, 1 and 8 are the letters that they resemble, and bits beyond the last byte are dropped', async () => {
    const parsed = await one('OL8OL8OL8OL8OL8OL8A\n" TOTP_AUTH\n', 'alice');
    const same = await one('0l80l80l80l80l80l80a\n" TOTP_AUTH\n', 'alice');
    assert.equal(parsed?.kind, 'found');
    assert.equal(same?.kind, 'found');
  });

  for (const [what, text] of [
    ['empty', ''],
    ['no Base32', 'GEZDGNBV=\n" TOTP_AUTH\n'],
    ['neither kind', 'GEZDGNBVGY3TQOJQ\n12345678\n'],
    ['steps too short to type', 'GEZDGNBVGY3TQOJQ\n" STEP_SIZE 10\n" TOTP_AUTH\n'],
    ['a list that is none', 'GEZDGNBVGY3TQOJQ\n" DISALLOW_REUSE 12x\n" TOTP_AUTH\n'],
    ['a skew that is none', 'GEZDGNBVGY3TQOJQ\n" TIME_SKEW two\n" TOTP_AUTH\n'],
    ['NUL', 'GEZDGNBVGY3TQOJQ\0\n" TOTP_AUTH\n'],
  ] as const)
    test(`rejected: ${what}`, async () => {
      const parsed = await one(text, 'alice');
      assert.equal(parsed?.kind, 'problem');
      assert.doesNotMatch(parsed.why, /GEZD/);
    });
});

test('oath: counters, times in local time, PINs; others pass over', async () => {
  process.env.TZ = 'UTC';
  const name = 'OATH';
  const { heidi, grace, ...good } = await read(oath({ window: 3 }), 'users.oath');
  assert.deepEqual(good, {
    alice: [{ ...token, kind: 'hotp', name, counter: 0 }],
    // With a last code the number is that code's own, so the next one follows it.
    bob: [{ ...token, kind: 'hotp', name, digits: 8, counter: 8 }],
    carol: [{ ...token, ...total, name, mark: Math.floor(1_700_000_000 / 30) + 3 }],
    dave: {
      factors: [{ ...token, ...total, name, period: 60, digits: 7, mark: -1 }],
      cannot: ['static PIN'],
    },
    frank: [{ ...token, kind: 'hotp', name, counter: 9 }],
  });
  assert.match(String(grace), /hex/);
  assert.match(String(heidi), /time of last use/);
});

test('oath: the hour that occurs twice counts as the later one', async () => {
  process.env.TZ = 'Europe/Paris';
  const [parsed] = await all(
    oath({ window: 0 }),
    sourceOf('HOTP/T30 a - 3132333435363738393031323334353637383930 0 123456 2023-10-29T02:30:00L\n'),
  );
  process.env.TZ = 'UTC';
  assert.ok(parsed?.kind === 'found' && parsed.factors[0]?.kind === 'totp');
  assert.equal(parsed.factors[0].mark, Date.UTC(2023, 9, 29, 1, 30) / 30_000);
});

test('oath: only one account', async () => {
  assert.deepEqual(Object.keys(await read(oath({ user: 'alice', window: 3 }), 'users.oath')), ['alice']);
});

test('yubico: public ids; invalid ones stop their user', async () => {
  const said = await all(yubico(undefined), golden('authorized_yubikeys'));
  const key = (publicId: string) => ({ kind: 'yubikey', validation: 'cloud', enabled: true, publicId });
  assert.deepEqual(
    said.map((one) => [one.user, one.kind === 'found' ? one.factors : 'problem']),
    [
      ['alice', [key('cccccccccccb'), key('cccccccccccd')]],
      ['bob', 'problem'],
      ['alice', [key('cccccccccccb')]],
      [undefined, 'problem'],
      ['carol', 'problem'],
    ],
  );
});

test('yubico: the state of a challenge-response slot is rejected', async () => {
  const [parsed] = await all(yubico(undefined), sourceOf('v2:6162:6364:6566:10000:2\n'));
  assert.ok(parsed?.kind === 'problem');
  assert.match(parsed.why, /challenge-response.*factor add webauthn/);
});

test('u2f: the last of two lines is used; resident keys are rejected', async () => {
  const said = await read(u2f({ appId: 'pam://host' }), 'u2f_keys');
  const common = { kind: 'u2f', enabled: true, algorithm: 'es256', appId: 'pam://host' };
  const point = Buffer.from(Array.from({ length: 64 }, (_, index) => index + 1));
  const handle = (from: number) =>
    Buffer.from(Array.from({ length: 32 }, (_, index) => index + from)).toString('base64url');
  assert.deepEqual(said.alice, [
    { ...common, credentialId: handle(0), publicKey: point.toString('base64'), verified: true },
    {
      ...common,
      credentialId: handle(32),
      publicKey: Buffer.concat([Buffer.from([4]), point]).toString('base64'),
      verified: false,
    },
  ]);
  assert.deepEqual(said.bob, { factors: [], cannot: ['resident key'] });
  assert.match(String(said.carol), /a credential is malformed/);
});

test('u2f: an ssh key is named as such', async () => {
  const [parsed] = await all(u2f({ appId: 'x' }), sourceOf('-----BEGIN OPENSSH PRIVATE KEY-----\n'));
  assert.ok(parsed?.kind === 'problem' && /ssh-sk/.test(parsed.why));
});

describe('proxmox', () => {
  test('counters, flags, names, recovery keys and lockouts', async () => {
    const said = await read(proxmox({ realm: 'pam' }), 'tfa.cfg');
    assert.deepEqual(said.alice, {
      factors: [
        { ...token, ...total, name: 'phone', created: 1_700_000_000_000, mark: 56666666 },
        {
          ...total,
          name: 'tablet',
          created: 1_700_000_001_000,
          enabled: false,
          secret: Buffer.from('TestSecretSuperSecre').toString('base64'),
          digits: 8,
          algorithm: 'sha256',
          mark: 'now',
        },
        {
          kind: 'yubikey',
          validation: 'cloud',
          name: 'stick',
          created: 1_000,
          enabled: true,
          publicId: 'cccccccccccb',
        },
        {
          kind: 'recovery',
          enabled: true,
          created: 1_700_000_002_000,
          secret: '0011223344556677',
          hashes: [
            '6ddff9ef3a11c7a64439faffddf663ac89b4a5e6bf5b14bd7189211ce71003a7',
            null,
            '1a94f0caed7e6d27a7895be2fc1c576dfbaa12570be92342edfd7d494cf1a203',
          ],
        },
      ],
      lock: { codes: true, until: 1_700_003_600_000 },
    });
    assert.deepEqual(said.bob, { factors: [], cannot: ['U2F key "old key"', 'security key "new key"'] });
    assert.match(String(said['carol@pve']), /realm pam/);
    assert.match(String(said.dave), /TOTP/);
    assert.match(String(said.erin), /field/);
  });

  test('security keys, if their relying party is given', async () => {
    const options = { realm: 'pam', user: 'bob', rpId: 'pve.example', appId: 'https://pve.example:8006' };
    const said = await read(proxmox(options), 'tfa.cfg');
    const point = Buffer.from(Array.from({ length: 64 }, (_, index) => index + 1));
    assert.deepEqual(said, {
      bob: [
        {
          kind: 'u2f',
          name: 'old key',
          created: 5_000,
          enabled: true,
          credentialId: 'AAECAwQFBgc',
          publicKey: Buffer.concat([Buffer.from([4]), point]).toString('base64'),
          algorithm: 'es256',
          appId: 'https://pve.example:8006',
          verified: false,
        },
        {
          kind: 'webauthn',
          name: 'new key',
          created: 6_000,
          enabled: true,
          credentialId: 'AAECAwQFBgcICQoLDA0ODw',
          publicKey: point.toString('base64'),
          algorithm: 'es256',
          counter: 9,
          rpId: 'pve.example',
        },
      ],
    });
  });

  test('a file of another format is one problem', async () => {
    for (const text of ['', 'joe@pve:oath:e30=', '{"users":[]}', '[]'])
      await assert.rejects(all(proxmox({ realm: 'pam' }), sourceOf(text)), /not JSON|not a tfa\.cfg/);
  });
});

describe('csv', () => {
  test("Sallyport's own format", async () => {
    const said = await read(csv(undefined), 'own.csv');
    assert.deepEqual(said, {
      alice: [
        {
          kind: 'totp',
          name: 'pixel-7, "authy"',
          enabled: true,
          created: 1_700_000_000_000,
          secret,
          digits: 8,
          period: 60,
          algorithm: 'sha512',
          mark: 28333333,
          drift: -1,
        },
      ],
      bob: [{ ...token, kind: 'hotp', name: 'fob', enabled: false, counter: 7 }],
      carol: [
        {
          kind: 'yubikey',
          validation: 'local',
          name: 'key',
          enabled: true,
          publicId: 'cccccccccccb',
          privateId: Buffer.from('010203040506', 'hex').toString('base64'),
          secret: Buffer.from('00112233445566778899aabbccddeeff', 'hex').toString('base64'),
          lastPress: 513,
        },
      ],
      dave: [{ kind: 'yubikey', validation: 'cloud', enabled: true, publicId: 'cccccccccccd' }],
      erin: [{ ...token, ...total, secret: Buffer.from('1234567890').toString('base64'), mark: 'now' }],
      frank: said.frank,
      'line 9': 'a quote is not closed, or text follows it before the next comma',
      heidi: 'column kind must be totp, hotp or yubikey',
    });
    assert.match(String(said.frank), /Base32/);
  });

  test('privacyIDEA, with the user first', async () => {
    const said = await read(csv(undefined), 'privacyidea.csv');
    assert.deepEqual(said, {
      alice: [{ ...token, ...total, name: 'OATH0001', digits: 8, period: 60, mark: 'now' }],
      bob: [{ ...token, kind: 'hotp', name: 'OATH0002', counter: 12 }],
      carol: 'factors of kind ocra are not supported; add another factor',
    });
  });

  test('LinOTP: the length of the key determines the hash, unless it is named', async () => {
    const said = await all(csv('alice'), golden('linotp.csv'));
    assert.deepEqual(
      said
        .flatMap((one) => (one.kind === 'found' ? one.factors : []))
        .map((one) => 'algorithm' in one && one.algorithm),
      ['sha256', 'sha512'],
    );
  });

  test('lines without a name need --user', async () => {
    const said = await all(csv(undefined), golden('linotp.csv'));
    assert.ok(said.every((one) => one.kind === 'problem' && /--user/.test(one.why)));
  });

  test('Yubico: both log formats', async () => {
    const said = await all(csv('alice'), golden('yubico.csv'));
    assert.deepEqual(
      said.map((one) =>
        one.kind === 'problem' ? one.place.line : one.factors.map(({ kind, name }) => `${kind} ${name}`),
      ),
      [1, ['yubikey YubiKey'], ['hotp '], 4, 5, ['yubikey YubiKey 508326'], ['hotp 508327']],
    );
  });

  test('a heading with an unknown column is not guessed', async () => {
    const said = await all(csv(undefined), sourceOf('user,kind,colour\nalice,totp,red\n'));
    assert.deepEqual(
      said.map(({ kind }) => kind),
      ['problem'],
    );
  });
});

describe('pskc', () => {
  const now = Date.UTC(2026, 0, 1);
  const nobodyIsAsked = async (): Promise<string> => assert.fail('nothing is encrypted');

  test('plain', async () => {
    const said = await read(pskc({ ask: nobodyIsAsked, now }), 'plain.pskc');
    assert.deepEqual(said, {
      alice: [{ ...token, kind: 'hotp', name: '987654321', digits: 8, counter: 5 }],
      bob: {
        factors: [
          { ...token, ...total, name: 'totp1', algorithm: 'sha256', period: 60, mark: 'now', drift: 4 },
        ],
        cannot: ['PIN'],
      },
      carol: 'the key "pin": unsupported kind of key; supported: HOTP and TOTP',
      dave: 'the key "old": the key has expired',
    });
  });

  test('RFC 6030, figure 6: a pre-shared key', async () => {
    const ask = async () => '12345678901234567890123456789012';
    const said = await read(pskc({ user: 'alice', ask, now }), 'encrypted.pskc');
    assert.deepEqual(said, { alice: [{ ...token, kind: 'hotp', name: '987654321', digits: 8, counter: 0 }] });
  });

  test('a password', async () => {
    const said = await read(pskc({ ask: async () => 'qwerty', now }), 'password.pskc');
    assert.deepEqual(said, { alice: [{ ...token, ...total, name: 'p1', mark: 'now' }] });
  });

  test('a wrong key, and a changed secret, are detected by the MAC', async () => {
    const wrong = await all(
      pskc({ user: 'a', ask: async () => '00'.repeat(16), now }),
      golden('encrypted.pskc'),
    ).then(
      (said) => said.map((one) => (one.kind === 'problem' ? one.why : 'found')),
      (error: Error) => [error.message],
    );
    assert.match(wrong.join(), /key or password is wrong/);
  });

  for (const [what, from, to] of [
    ['a MAC of something else', 'Su+NvtQ', 'Su+NvtR'],
    ['a secret whose first bits were turned', '>AAECAw', '>BAECAw'],
    ['no MAC', '<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>', ''],
  ] as const)
    test(`rejected: ${what}`, async () => {
      const text = (await golden('encrypted.pskc').whole(100_000)).toString();
      assert.ok(text.includes(from));
      const ask = async () => '12345678901234567890123456789012';
      const [said] = await all(pskc({ user: 'alice', ask, now }), sourceOf(text.replace(from, to)));
      assert.equal(said?.kind, 'problem');
    });

  for (const [what, text, said] of [
    ['a document type', '<!DOCTYPE x [<!ENTITY a "b">]><KeyContainer>&a;</KeyContainer>', /DOCTYPE/],
    ['an entity', '<KeyContainer>&a;</KeyContainer>', /malformed/],
    ['no container', '<html/>', /KeyContainer/],
    ['deep nesting', `<KeyContainer>${'<a>'.repeat(40)}`, /deep/],
    ['a long text', `<KeyContainer><a>${'x'.repeat(20_000)}</a></KeyContainer>`, /too long/],
    ['half of one', '<KeyContainer><KeyPackage>', /malformed/],
  ] as const)
    test(`rejected: ${what}`, () =>
      assert.rejects(all(pskc({ ask: nobodyIsAsked, now }), sourceOf(text)), said));
});
