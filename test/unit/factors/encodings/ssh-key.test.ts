import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fingerprintOf, readSshSkKey, sshSkKeysIn } from '../../../../daemon/factors/encodings/ssh-key.ts';
import { limits } from '../../../../daemon/limits.ts';
import { fc } from '../../../support/property.ts';
import {
  blobOf,
  certificate,
  certificateOf,
  ecdsa,
  ed25519,
  keyFields,
  plainBlob,
  pubLine,
  publicKey,
} from '../../../support/ssh-keys.ts';

/** Made by ssh-keygen 9.2 with -t ed25519-sk and -t ecdsa-sk. */
const real = {
  ed25519:
    'sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIE7PLtzKFK73hbx1KMAYEIVA8Tuy5T1J6uHDjn+UzGWrAAAABHNzaDo=',
  ecdsa:
    'sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBCa36S2PEXouzzMqKbohlQ4/FemUhq/7t/9RCZ7Pem2fl/ZwNssj5tkWFfVTvM4OE44s8d2yPCA3IugV2IE8eAUAAAAEc3NoOg==',
};
const types = [ed25519, ecdsa] as const;
const base64 = (blob: Buffer) => blob.toString('base64');
const lineOf = (type: string, blob: Buffer) => `publickey ${type} ${base64(blob)}\n`;
const badKey = (says: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error && 'code' in error && error.code === 'bad-key');
  assert.match(error.message, says);
  return true;
};

/** Invalid keys of `type`, with any prefix. */
function oddBlobs(type: (typeof types)[number]): [string, Buffer][] {
  const [other] = types.filter((each) => each !== type);
  const good = plainBlob(type, 'a');
  const fields = keyFields(type, 'a');
  const key = Buffer.from(fields.at(-1) as Buffer);
  const before = fields.slice(0, -1);
  const compressed = Buffer.from(key);
  compressed[0] = 2;
  const odd: [string, Buffer][] = [
    ['another type inside', blobOf(other ?? '', ...fields, 'ssh:')],
    ['a type with a NUL', blobOf(`${type}\0`, ...fields, 'ssh:')],
    ['a byte behind', Buffer.concat([good, Buffer.from([0])])],
    ['a string behind', Buffer.concat([good, blobOf('x')])],
    ['a byte short', good.subarray(0, -1)],
    ['no application', blobOf(type, ...fields)],
    ['an empty application', blobOf(type, ...fields, '')],
    ['an application with a NUL', blobOf(type, ...fields, 'ssh:\0')],
    ['an application with a blank', blobOf(type, ...fields, 'ssh: ')],
    ['a very long application', blobOf(type, ...fields, 's'.repeat(256))],
    ['a shorter key', blobOf(type, ...before, key.subarray(1), 'ssh:')],
    ['a longer key', blobOf(type, ...before, Buffer.concat([key, Buffer.from([0])]), 'ssh:')],
    ['no key', blobOf(type, ...before, '', 'ssh:')],
    ['a length over the end', Buffer.concat([blobOf(type), Buffer.from([0xff, 0xff, 0xff, 0xff])])],
  ];
  if (type === ed25519) return odd;
  return [
    ...odd,
    ['another curve', blobOf(type, 'nistp384', key, 'ssh:')],
    ['no curve', blobOf(type, key, 'ssh:')],
    ['a compressed point', blobOf(type, 'nistp256', compressed, 'ssh:')],
  ];
}

describe('a .pub file', () => {
  it('of ssh-keygen is read without its comment and line end', () => {
    for (const [keyType, line] of [
      [ed25519, real.ed25519],
      [ecdsa, real.ecdsa],
    ] as const)
      for (const text of [line, `${line} alice@laptop`, `${line} a b\n`, `\n${line}\r\n\n`])
        assert.deepEqual(readSshSkKey(text), { keyType, publicKey: line.split(' ')[1] });
  });

  it('has the fingerprint that ssh-keygen -l shows', () => {
    const key = readSshSkKey(real.ecdsa);
    assert.equal(fingerprintOf(key), 'SHA256:lZilUW+aoY1OD/04SHtGC0HCVSrXtNcVvuEMPYgklDQ');
  });

  it('may name another application', () => {
    for (const application of ['ssh:work', 'https://example.org', 's'.repeat(255)]) {
      const blob = plainBlob(ed25519, 'a', application);
      assert.equal(readSshSkKey(`${ed25519} ${base64(blob)}`).publicKey, base64(blob));
    }
  });

  const one = pubLine('a');
  const refused: [string, string, RegExp][] = [
    ['an empty file', '', /there is no key/],
    ['blank lines', ' \n\n', /there is no key/],
    ['two keys', `${one}\n${pubLine('b')}\n`, /2 lines.*one key at a time/],
    ['options, as in authorized_keys', `no-touch-required ${one}`, /options before.*\.pub file/],
    ['options with blanks', `from="10.0.0.0/8",command="a b" ${one}`, /options before/],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n', /private key.*\.pub file/],
    [
      'an ordinary key',
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA a@b',
      /cannot be a second factor.*ed25519-sk/,
    ],
    ['an RSA key', 'ssh-rsa AAAA', /cannot be a second factor/],
    ['an ordinary ECDSA key', 'ecdsa-sha2-nistp256 AAAA', /cannot be a second factor/],
    [
      'a certificate',
      `${certificateOf[ed25519]} ${base64(certificate(ed25519, 'a'))}`,
      /certificate.*that it certifies/,
    ],
    ['the type alone', ed25519, /not a complete key of that type/],
    ['something else', 'hunter2', /not a public key of OpenSSH/],
    ['a type that begins like one', `${ed25519}x ${publicKey('a')}`, /not a public key/],
    ['the type in capitals', `${ed25519.toUpperCase()} ${publicKey('a')}`, /not a public key/],
    ['the type of another key', `${ecdsa} ${publicKey('a')}`, /not a complete key of that type/],
    [
      'base64 without its end',
      `${ed25519} ${publicKey('a').replace(/=+$/, '')}`,
      /not a complete key of that type/,
    ],
    [
      'base64 of URLs',
      `${ed25519} ${publicKey('a').replaceAll('/', '_')}-`,
      /not a complete key of that type/,
    ],
    ['too much', `${one} ${'x'.repeat(limits.sshKeyText)}`, /too long/],
  ];
  for (const [what, text, says] of refused)
    it(`is rejected with what to give instead: ${what}`, () => {
      assert.throws(() => readSshSkKey(text), badKey(says));
    });

  for (const type of types)
    for (const [what, blob] of oddBlobs(type))
      it(`of ${type} is rejected: ${what}`, () => {
        assert.throws(
          () => readSshSkKey(`${type} ${base64(blob)}`),
          badKey(/not a complete key of that type/),
        );
      });

  it('is never quoted in the message', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12, maxLength: 60 }), (text) => {
        try {
          readSshSkKey(text);
          return false;
        } catch (error) {
          return badKey(/./)(error) && error instanceof Error && !error.message.includes(text);
        }
      }),
    );
  });

  it('reads up to its limit', () => {
    const comment = 'x'.repeat(limits.sshKeyText - real.ed25519.length - 1);
    assert.equal(readSshSkKey(`${real.ed25519} ${comment}`).keyType, ed25519);
    assert.throws(() => readSshSkKey(`${real.ed25519} ${comment}x`), badKey(/too long/));
  });
});

describe('SSH_AUTH_INFO_0', () => {
  const key = publicKey('a');
  const plain = `publickey ${ed25519} ${key}`;
  const second = publicKey('b', ecdsa);
  const table: [string, string, readonly string[]][] = [
    ['as sshd writes it', `${plain}\n`, [key]],
    ['without the newline at its end', plain, [key]],
    ['with a signature count', `${plain} signature count = 7\n`, [key]],
    ['of ECDSA', `publickey ${ecdsa} ${second}\n`, [second]],
    ['two keys', `${plain}\npublickey ${ecdsa} ${second}\n`, [key, second]],
    ['the same key twice', `${plain}\n${plain}\n`, [key]],
    ['behind other methods', `password\nkeyboard-interactive/pam\n${plain}\n`, [key]],
    ['beside an ordinary key', `publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5\n${plain}\n`, [key]],
    ['beside something odd', `publickey\npublickey  \n\n${plain}\n\u0000`, [key]],
    ['a certificate', lineOf(certificateOf[ed25519], certificate(ed25519, 'a')), [key]],
    ['a certificate of ECDSA', lineOf(certificateOf[ecdsa], certificate(ecdsa, 'b')), [second]],
    ['empty', '', []],
    ['an ordinary key', 'publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA\n', []],
    ['hostbased', `hostbased ${ed25519} ${key}\n`, []],
    ['a submethod', `publickey/x ${ed25519} ${key}\n`, []],
    ['a longer word', `publickeys ${ed25519} ${key}\n`, []],
    ['another case', `PublicKey ${ed25519} ${key}\n`, []],
    ['pushed in', ` ${plain}\n`, []],
    ['later in a line', `password ${plain}\n`, []],
    ['two blanks', `publickey  ${ed25519} ${key}\n`, []],
    ['a tab', `publickey\t${ed25519}\t${key}\n`, []],
    ['a carriage return', `${plain}\r\n`, []],
    ['cut off', plain.slice(0, -3), []],
    ['a blank within the base64', `publickey ${ed25519} ${key.slice(0, 20)} ${key.slice(20)}`, []],
    ['the type of the other', `publickey ${ecdsa} ${key}\n`, []],
    ['a plain key called a certificate', `publickey ${certificateOf[ed25519]} ${key}\n`, []],
    ['a certificate called a plain key', lineOf(ed25519, certificate(ed25519, 'a')), []],
    ['a certificate of a host', lineOf(certificateOf[ed25519], certificate(ed25519, 'a', { kind: 2 })), []],
    [
      'a certificate with something behind',
      lineOf(certificateOf[ed25519], certificate(ed25519, 'a', { behind: Buffer.from([0]) })),
      [],
    ],
    ['a certificate cut off', lineOf(certificateOf[ed25519], certificate(ed25519, 'a').subarray(0, -1)), []],
    ['a certificate of the other type', lineOf(certificateOf[ecdsa], certificate(ed25519, 'a')), []],
    [
      'base64 with bits to spare',
      `publickey ${ed25519} ${key.replace(/.=$/, (end) => `${end === 'o=' ? 'p' : 'B'}=`)}\n`,
      [],
    ],
  ];
  for (const [what, info, keys] of table)
    it(`${what}: ${keys.length === 0 ? 'no key' : keys.length === 1 ? 'the key' : `${keys.length} keys`}`, () =>
      assert.deepEqual(sshSkKeysIn(info), keys));

  for (const type of types)
    for (const [what, blob] of oddBlobs(type))
      it(`not a key of ${type}: ${what}`, () => assert.deepEqual(sshSkKeysIn(lineOf(type, blob)), []));

  it('never throws, and finds only whole keys, in any bytes', () => {
    const piece = fc.oneof(
      fc.constantFrom('publickey', ' ', '\n', ed25519, ecdsa, certificateOf[ed25519], key, second, plain),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString('base64')),
      fc.string({ unit: 'binary', maxLength: 12 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        return sshSkKeysIn(pieces.join('')).every((found) => [key, second].includes(found));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes no other key for the enrolled one when one of its bytes is changed', () => {
    for (const [type, whole] of [
      [ed25519, plainBlob(ed25519, 'a')],
      [certificateOf[ed25519], certificate(ed25519, 'a')],
    ] as const) {
      const changed = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }));
      fc.assert(
        fc.property(changed, ([at, by]) => {
          const blob = Buffer.from(whole);
          blob[at] = (blob[at] ?? 0) ^ by;
          const found = sshSkKeysIn(lineOf(type, blob));
          // sshd verifies what surrounds the key in a certificate; the key itself is whole.
          const start = type === ed25519 ? 0 : whole.indexOf(keyFields(ed25519, 'a')[0] as Buffer);
          const isKey = at >= start && at < start + (type === ed25519 ? whole.length : 32);
          return !isKey || !found.includes(key);
        }),
        { numRuns: 1000 },
      );
    }
  });
});
