import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Realm } from '../../../daemon/config/contract.ts';
import type { FactorRecord } from '../../../daemon/factors/contract.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { decide } from '../../../daemon/policy/decide.ts';
import {
  config,
  disabled,
  facts,
  overUserSocket,
  question,
  realm,
  recovery,
  state,
  totp,
  usedUp,
} from './support.ts';

/** enrol = "at-login": who adds a first factor in a login, and who does not. */
function decided(
  part: Partial<Realm> = {},
  factors: readonly FactorRecord[] = [],
  given: Partial<LoginFacts> = {},
): string {
  const one = realm({ enrol: 'at-login', ...part });
  const decision = decide(question({ config: config(one), state: state({ factors }), facts: facts(given) }));
  return decision.kind === 'refused' ? `refused ${decision.why}` : decision.kind;
}

describe('enrol = "at-login"', () => {
  const rows: [string, string, ...Parameters<typeof decided>][] = [
    ['no factor at all', 'enrol'],
    ['no factor, and TOTP is one of those required', 'enrol', { require: ['webauthn', 'totp'] }],
    ['no factor, and TOTP would not do', 'refused no-factor', { require: ['webauthn'] }],
    ['no factor, and a YubiKey is required', 'refused no-factor', { require: ['yubikey'] }],
    ['no factor, and nothing is required', 'not-needed', { require: 'none' }],
    ['a used-up recovery set is no factor', 'enrol', {}, [usedUp]],
    ['one that fits', 'ask', {}, [totp]],
    ['a recovery set', 'ask', {}, [recovery]],
    ['all disabled: disabling is no way to a new one', 'refused all-disabled', {}, [disabled(totp)]],
    [
      'one that does not fit',
      'refused none-fits',
      { require: ['webauthn', 'totp'], yubikey: {} },
      [yubikeyOf()],
    ],
    ['a login that is not proven', 'refused no-factor', {}, [], { proven: false }],
    ['on pam-user.sock', 'refused no-factor', {}, [], overUserSocket],
    ['behind the password', 'refused no-factor', {}, [], { mode: 'password-and-code' }],
    ['first_pass', 'refused no-factor', {}, [], { mode: 'first-pass' }],
    ['the portal has pages for it', 'refused no-factor', {}, [], { service: 'sallyport-portal' }],
    ['su of a caller', 'refused no-factor', { su: 'caller' }, [], { service: 'su' }],
  ];
  for (const [what, expected, ...given] of rows)
    it(`${what}: ${expected}`, () => assert.equal(decided(...given), expected));
});

function yubikeyOf(): FactorRecord {
  return {
    id: 'y1',
    name: 'key',
    created: 0,
    enabled: true,
    kind: 'yubikey',
    validation: 'cloud',
    publicId: 'vvcccccccclb',
    spent: [],
  };
}
