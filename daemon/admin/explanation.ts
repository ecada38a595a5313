import type { ExplainQuery } from '../api/views.ts';
import type { Configuration } from '../config/in-force.ts';
import { readSshSkKey } from '../factors/ssh-key.ts';
import type { Accounts } from '../host/accounts.ts';
import { SallyportError } from '../lib/errors.ts';
import { canonicalAddress } from '../lib/network.ts';
import { virtualConsole } from '../login/facts.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { explain } from '../policy/explain.ts';
import { factorOwnerOf, referencedGroups, selectRealm } from '../policy/realm.ts';
import { usuallyReachesPerson } from '../policy/secrets.ts';
import type { Store } from '../store/contract.ts';
import { recordOf } from '../store/sealed/record-owner.ts';
import { known } from '../verifier/login-accounts.ts';
import type { Admin } from './contract.ts';

export interface ExplainOptions {
  readonly store: Pick<Store, 'account'>;
  readonly accounts: Accounts;
  readonly configuration: Pick<Configuration, 'current'>;
  readonly now: () => number;
  readonly bootId: string;
}

/**
 * What a proven login over pam.sock would meet now. Nothing is stored, and no grace period begins.
 * @throws SallyportError no-such-account, accounts-unavailable, bad-request, bad-key
 */
export function createExplain(options: ExplainOptions): Admin['explain'] {
  return async (name, query) => {
    const config = options.configuration.current();
    const found = known(await options.accounts.byName(name, referencedGroups(config)));
    if (found === undefined)
      throw new SallyportError(
        'no-such-account',
        'there is no such account; check the name with: getent passwd',
      );
    const { account, groups } = found;
    const facts = factsOf(account.name, account.uid, query, options.bootId);
    const now = options.now();
    const record = recordOf((await options.store.account(account.name)).value, account, now);
    // What su was remembered for between two accounts is no part of this one's logins.
    const state = { ...record, grants: record.grants.filter(({ target }) => target === undefined) };
    const explained = explain({ config, account, groups, holderUid: account.uid, state, facts, now });
    const selected = selectRealm(config, account, groups);
    const bySelf = selected.kind === 'realm' && factorOwnerOf(selected.realm, facts) === 'caller';
    const lines = bySelf ? [...explained.lines, callerLine] : explained.lines;
    return { account: account.name, service: query.service, ...explained, lines };
  };
}

/** What could only be a mistyped address is not one: the last part of a host name is not a number (RFC 3696, 2). */
function isHostName(text: string): boolean {
  return /^(?:[a-z0-9_-]+\.)*(?=[a-z0-9_-]*[a-z])[a-z0-9_-]+\.?$/i.test(text);
}

const callerLine =
  'caller      taken to be the account itself: this realm asks for the factor of whoever calls su';

function factsOf(user: string, uid: number, query: ExplainQuery, bootId: string): LoginFacts {
  const { service, from, tty, sshKey } = query;
  const source = from === undefined ? undefined : canonicalAddress(from);
  if (from !== undefined && source === undefined && !isHostName(from))
    throw new SallyportError(
      'bad-request',
      '"from" must be a literal IPv4 or IPv6 address, or a host name as sshd passes it on with UseDNS',
    );
  if (sshKey !== undefined && service !== 'sshd')
    throw new SallyportError(
      'bad-request',
      'only sshd verifies keys of ssh: "sshKey" goes with service sshd',
    );
  return {
    service,
    user,
    ...(from === undefined ? {} : { rhost: from }),
    ...(source === undefined ? {} : { source }),
    ...(tty === undefined ? {} : { tty }),
    bootId,
    realUid: uid,
    peerUid: 0,
    firstFactorVerified: true,
    rootSocket: true,
    local: from === undefined && tty !== undefined && virtualConsole.test(tty),
    reachesPerson: usuallyReachesPerson(service, tty),
    ...(sshKey === undefined ? {} : { sshKeys: [readSshSkKey(sshKey).publicKey] }),
    mode: 'prompt',
  };
}
