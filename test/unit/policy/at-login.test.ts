import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PortalConfig, Realm } from '../../../daemon/config/contract.ts';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
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

const unknown: Partial<LoginFacts> = { reachesPerson: false };
const portalConfig: PortalConfig = {
  origins: [],
  listen: { address: '127.0.0.1', port: 8443 },
  proxies: [],
  name: 'Example',
  user: 'sallyport-portal',
};

/** enrol = "at-login": which accounts add a first factor during a login, and which do not. */
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
      'refused no-accepted-factor',
      { require: ['webauthn', 'totp'], yubikey: {} },
      [yubikeyOf()],
    ],
    ['a login that is not proven', 'refused no-factor', {}, [], { firstFactorVerified: false }],
    ['on pam-user.sock', 'refused no-factor', {}, [], overUserSocket],
    ['behind the password', 'refused no-factor', {}, [], { mode: 'password-and-code' }],
    ['first_pass', 'refused no-factor', {}, [], { mode: 'first-pass' }],
    ['the portal has pages for it', 'refused no-factor', {}, [], { service: 'sallyport-portal' }],
    ['the command has its own', 'refused no-factor', {}, [], { service: 'sallyport' }],
    ['su of a caller', 'refused no-factor', { su: 'caller' }, [], { service: 'su' }],
    ['where the text is not known to reach a person', 'refused no-factor', {}, [], unknown],
    ['a service by its name only', 'refused no-factor', {}, [], { ...unknown, service: 'sshd' }],
    ['sudo without a terminal', 'refused no-factor', {}, [], { ...unknown, service: 'sudo' }],
  ];
  for (const [what, expected, ...given] of rows)
    it(`${what}: ${expected}`, () => assert.equal(decided(...given), expected));

  it('is offered in a service that the administrator allows, and in no other', () => {
    const one = { ...config(realm({ enrol: 'at-login' })), secretsIn: ['gdm-password'] };
    const kindIn = (part: Partial<LoginFacts>) =>
      decide(question({ config: one, facts: facts({ ...unknown, ...part }) })).kind;
    assert.equal(kindIn({ service: 'gdm-password' }), 'enrol');
    for (const service of ['gdm-fingerprint', 'gdm-passwordx', 'GDM-PASSWORD', 'cockpit'])
      assert.equal(kindIn({ service }), 'refused', service);
    assert.equal(kindIn({ service: 'gdm-password', ...overUserSocket }), 'refused');
    assert.equal(kindIn({ service: 'gdm-password', firstFactorVerified: false }), 'refused');
  });
});

describe('accounts that cannot add a first factor here are told where', () => {
  const portal = { origins: ['https://login.example.org', 'https://other.example.org'] };
  const textFor = (part: Partial<LoginFacts>, hasPortal: boolean, over: Partial<Realm> = {}) => {
    const one = config(realm({ enrol: 'at-login', ...over }));
    const decision = decide(
      question({
        config: hasPortal ? { ...one, portal: { ...portalConfig, ...portal } } : one,
        facts: facts({ ...unknown, ...part }),
      }),
    );
    return decision.kind === 'refused' ? decision.text : decision.kind;
  };

  it('in the portal if there is one, and over ssh', () => {
    assert.equal(
      textFor({ service: 'cockpit' }, true),
      'You need a second factor and have none. Add one first: https://login.example.org, or log in over ssh.',
    );
    assert.equal(
      textFor({ service: 'cockpit' }, false),
      'You need a second factor and have none. Add one first: log in over ssh.',
    );
  });

  it('not over ssh in a login over ssh', () => {
    assert.equal(
      textFor({ service: 'sshd' }, true),
      'You need a second factor and have none. Add one first: https://login.example.org',
    );
    assert.match(textFor({ service: 'sshd' }, false), /Ask your administrator/);
  });

  it('nowhere if no method can add one', () => {
    assert.match(textFor({ service: 'cockpit' }, true, { enrol: 'refuse' }), /Ask your administrator/);
    assert.match(textFor({ service: 'cockpit' }, true, { require: ['yubikey'] }), /Ask your administrator/);
  });
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
