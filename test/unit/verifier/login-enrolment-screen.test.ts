import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config, Realm } from '../../../daemon/config/contract.ts';
import { systemRandomness } from '../../../daemon/lib/randomness.ts';
import { limits } from '../../../daemon/limits.ts';
import { decide } from '../../../daemon/policy/decide.ts';
import type { Assessment } from '../../../daemon/verifier/assessment.ts';
import { openFirst } from '../../../daemon/verifier/login-enrolment.ts';
import { hostWith } from '../../support/host.ts';
import { fc } from '../../support/property.ts';
import { scan, type Theme, themes } from '../../support/screen-picture.ts';
import { config, facts, now, question, realm } from '../policy/support.ts';

/** A screen of 80 columns and 24 rows while a first factor is added during a login. */
const columns = 80;
const rows = 24;

interface Shown {
  readonly secret: string;
  readonly prompt: string;
}

function shown(
  part: { readonly account?: string; readonly totp?: Realm['totp'] } & Partial<
    Pick<Config, 'issuer' | 'portal'>
  > = {},
): Shown {
  const { account = 'alice', totp, issuer = 'web1', portal } = part;
  const only = realm({ enrol: 'at-login', ...(totp === undefined ? {} : { totp }) });
  const target = { name: account, uid: 1000, gid: 1000 };
  const assessed: Assessment = {
    subject: { target, groups: new Map(), holder: target },
    versioned: { value: undefined, version: 0 },
    decision: decide(question({ config: config(only), account: target })),
    realm: only,
    now,
  };
  const terms = portal === undefined ? { issuer } : { issuer, portal };
  const opening = openFirst({ facts: facts(), host: hostWith() }, assessed, terms, systemRandomness);
  assert.ok(opening.kind === 'ask' && opening.secret !== undefined && opening.text === undefined);
  return { secret: opening.secret, prompt: opening.prompt };
}

/** As a terminal shows it: long rows wrap, and the first rows scroll out. */
function seen(
  { secret, prompt }: Shown,
  prefix: string,
): { readonly all: string[]; readonly last: string[] } {
  const all = `${prefix}${secret}\n${prompt}`.split('\n').flatMap((line) => {
    const chars = [...line];
    const count = Math.max(1, Math.ceil(chars.length / columns));
    return Array.from({ length: count }, (_, row) =>
      chars.slice(row * columns, (row + 1) * columns).join(''),
    );
  });
  return { all, last: all.slice(-rows) };
}

const groups = /^No picture\? Type in: ((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})$/m;
const hasPicture = ({ secret }: Shown) => /[█▀▄]{10}/.test(secret);

const names = [
  ['web1', 'alice'],
  ['web1.example.org', 'alice'],
  ['build-01.prod.example.com', 'alice'],
  ['db.example.org', 'firstname.lastname'],
  ['Example Ltd.', 'CORP\\jörg'],
] as const;

describe('a first factor on a screen of 80 columns and 24 rows', () => {
  for (const [issuer, account] of names)
    for (const theme of Object.keys(themes) as Theme[])
      it(`of ${issuer}:${account} can be scanned from a ${theme} terminal, over ssh too`, () => {
        const one = shown({ issuer, account });
        const [, typed = ''] = groups.exec(one.secret) ?? [];
        for (const prefix of ['', `(${account}@${issuer}) `]) {
          const { last } = seen(one, prefix);
          const [uri = ''] = scan(last, columns, theme);
          const url = new URL(uri);
          assert.equal(url.searchParams.get('secret'), typed.replaceAll(' ', ''));
          assert.equal(decodeURIComponent(url.pathname.slice(1)), `${issuer}:${account}`);
          assert.match(last.join('\n'), groups);
        }
      });

  it('fits, with its first line and its prompt, after the output of ssh', () => {
    for (const prefix of ['', '(alice@web1) ', '(alice@web1.example.org) ']) {
      const { all } = seen(shown({ issuer: 'web1.example.org' }), prefix);
      assert.ok(all.length <= rows, `${all.length} rows after "${prefix}"`);
    }
  });

  it('shows the secret just above the prompt, in groups of four', () => {
    assert.match(shown().secret.split('\n').at(-1) ?? '', groups);
  });

  it('never exceeds a frame or the screen, and contains no control character, whatever the names', () => {
    const name = (most: number) => fc.string({ unit: 'grapheme', minLength: 1, maxLength: most });
    const totp = fc.record({
      digits: fc.constantFrom(6 as const, 7 as const, 8 as const),
      period: fc.constantFrom(15, 30, 300),
      algorithm: fc.constantFrom('sha1' as const, 'sha256' as const, 'sha512' as const),
      skew: fc.constant(1),
    });
    fc.assert(
      fc.property(name(64), name(60), totp, (issuer, account, settings) => {
        const one = shown({ issuer, account, totp: settings });
        assert.ok(Buffer.byteLength(`${one.secret}\n${one.prompt}`) <= limits.textLength);
        assert.ok(seen(one, '').all.length <= rows);
        assert.match(one.secret, /[A-Z2-7]{4} [A-Z2-7]{4}/);
        const words = one.secret.replace(/[█▀▄ ]/g, '');
        assert.doesNotMatch(words, /[^\P{Cc}\n]/u);
      }),
      { numRuns: 60 },
    );
  });

  it("states the parameters that are not an app's defaults", () => {
    const totp = { digits: 8, period: 60, algorithm: 'sha256', skew: 1 } as const;
    assert.match(shown({ totp }).secret, /^By hand: 8 digits, every 60 seconds, SHA256\.$/m);
    assert.doesNotMatch(shown().secret, /By hand/);
  });

  it('without space for a QR code is the secret, a sentence, and the portal', () => {
    const portal = {
      origins: ['https://login.example.org'],
      listen: { address: '127.0.0.1', port: 1 },
      proxies: [],
      name: 'x',
      user: 'x',
    };
    const one = shown({ issuer: 'i'.repeat(64), account: 'a'.repeat(60), portal });
    assert.equal(hasPicture(one), false);
    const [head, secret, way] = one.secret.split('\n');
    assert.match(head ?? '', /Type this secret into an authenticator app:$/);
    assert.match(secret ?? '', /^(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}$/);
    assert.match(way ?? '', /https:\/\/login\.example\.org/);
  });
});
