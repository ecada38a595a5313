import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ImportError, type Parsed, type Parser } from '../../../cli/import/contract.ts';
import { csv } from '../../../cli/import/csv.ts';
import { googleAuthenticator } from '../../../cli/import/google-authenticator.ts';
import { oath } from '../../../cli/import/oath.ts';
import { proxmox } from '../../../cli/import/proxmox.ts';
import { pskc } from '../../../cli/import/pskc.ts';
import { u2f } from '../../../cli/import/u2f.ts';
import { yubico } from '../../../cli/import/yubico.ts';
import { all, golden, sourceOf } from '../../support/import-source.ts';
import { fc } from '../../support/property.ts';

/** For any content a parser returns accounts or problems, and no problem contains a secret. */

const parsers: Readonly<Record<string, { readonly parse: Parser; readonly files: readonly string[] }>> = {
  'google-authenticator': {
    parse: googleAuthenticator({ user: 'a' }),
    files: ['google-totp', 'google-hotp', 'google-hardened'],
  },
  oath: { parse: oath({ window: 20 }), files: ['users.oath'] },
  yubico: { parse: yubico(undefined), files: ['authorized_yubikeys'] },
  u2f: { parse: u2f({ appId: 'pam://host' }), files: ['u2f_keys'] },
  proxmox: {
    parse: proxmox({ realm: 'pam', rpId: 'example.org', appId: 'https://example.org' }),
    files: ['tfa.cfg'],
  },
  csv: { parse: csv(undefined), files: ['own.csv', 'privacyidea.csv', 'linotp.csv', 'yubico.csv'] },
  pskc: {
    parse: pskc({ ask: async () => '12345678901234567890123456789012', now: 0 }),
    files: ['plain.pskc', 'encrypted.pskc'],
  },
};

/**
 * Parts of the secrets in the golden files, as written there. Handles and public keys of security keys are not secret.
 */
const secrets =
  /GEZDGNBVGY3T|31323334353637|MTIzNDU2Nzg5|KRSXG5CTMVRX|6ddff9ef3a11c7|00112233445566778899|12345678(?!")|87654321|010203040506/i;
const nothing = /(?!)/;

async function read(parse: Parser, text: string): Promise<readonly Parsed[]> {
  try {
    return await all(parse, sourceOf(text));
  } catch (error) {
    // A file that cannot be read at all. Anything else is a crash.
    assert.ok(error instanceof ImportError, String(error));
    assert.doesNotMatch(error.message, secrets);
    return [];
  }
}

/** The text with parts removed, doubled or replaced. */
function spoilt(text: string, spoils: readonly (readonly [number, number, string])[]): string {
  return spoils.reduce((now, [at, length, put]) => {
    const from = now.length === 0 ? 0 : at % now.length;
    return now.slice(0, from) + put + now.slice(from + length);
  }, text);
}

for (const [name, { parse, files }] of Object.entries(parsers))
  describe(name, () => {
    test('rubbish', () =>
      fc.assert(
        fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (text) => {
          await read(parse, text);
        }),
        { numRuns: 300 },
      ));

    test('damaged files of its own format: no secret in the messages', async () => {
      const hidden = name === 'u2f' ? nothing : secrets;
      const texts = await Promise.all(
        files.map(async (file) => (await golden(file).whole(1_000_000)).toString()),
      );
      const put = fc.constantFrom(
        '',
        ' ',
        ':',
        ',',
        '"',
        '\n',
        '\0',
        '-1',
        '99999999999999999999',
        '<a>',
        '&#0;',
        '{',
        'ü',
      );
      const spoil = fc.tuple(fc.nat({ max: 5_000 }), fc.nat({ max: 12 }), put);
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...texts),
          fc.array(spoil, { minLength: 1, maxLength: 4 }),
          async (text, spoils) => {
            for (const one of await read(parse, spoilt(text, spoils))) {
              if (one.kind === 'problem') assert.doesNotMatch(one.why, hidden);
              else assert.doesNotMatch(JSON.stringify(one.cannot), hidden);
            }
          },
        ),
        { numRuns: 300 },
      );
    });
  });

test('an endless line costs no memory and is one problem', async () => {
  const said = await all(
    oath({ window: 20 }),
    sourceOf(`HOTP ${'x'.repeat(1_000_000)}\nHOTP alice - 3132333435363738393031\n`),
  );
  assert.deepEqual(
    said.map(({ kind, place }) => [kind, place.line]),
    [
      ['problem', 1],
      ['found', 2],
    ],
  );
});
