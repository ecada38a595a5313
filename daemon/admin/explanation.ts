import type { ExplainQuery } from '../api/views.ts';
import type { Configuration } from '../config/in-force.ts';
import { readSshSkKey } from '../factors/encodings/ssh-key.ts';
import type { Accounts } from '../host/contract.ts';
import { SallyportError } from '../lib/errors.ts';
import { canonicalAddress } from '../lib/network.ts';
import { virtualConsole } from '../login/facts.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { explain } from '../policy/explain.ts';
import { factorOwnerOf, referencedGroups, selectRealm } from '../policy/realm.ts';
import { usuallyReachesPerson } from '../policy/secrets.ts';
import type { Store } from '../store/contract.ts';
import { recordOf } from '../store/sealed/record-owner.ts';
import { known } from '../verifier/assessment.ts';
import type { Admin } from './contract.ts';

export interface ExplainOptions {
  readonly store: Pick<Store, 'account'>;
  readonly accounts: Accounts;
  readonly configuration: Pick<Configuration, 'current'>;
  readonly now: () => number;
  readonly bootId: string;
}

/**
 * What a login over pam.sock with a verified first factor would be asked for now. Nothing is stored, and no grace
 * period begins.
 * @throws SallyportError no-such-account, accounts-unavailable, bad-request, bad-key
 */
export function createExplain(options: ExplainOptions): Admin['explain'] {
  return async (name, query) => {
    const config = options.configuration.current();
    const found = known(await options.accounts.byName(name, referencedGroups(config)));
    if (found === undefined)
      throw new SallyportError(
        'no-such-account',
        `account "${name}" not found; check: getent passwd ${name}`,
      );
    const { account, groups } = found;
    const facts = factsOf(account.name, account.uid, query, options.bootId);
    const now = options.now();
    const record = recordOf((await options.store.account(account.name)).value, account, now);
    // A grant of su between two accounts does not apply to this account's logins.
    const state = { ...record, grants: record.grants.filter(({ target }) => target === undefined) };
    const explained = explain({ config, account, groups, holderUid: account.uid, state, facts, now });
    const selected = selectRealm(config, account, groups);
    const bySelf = selected.kind === 'realm' && factorOwnerOf(selected.realm, facts) === 'caller';
    const lines = bySelf ? [...explained.lines, callerLine] : explained.lines;
    return { account: account.name, service: query.service, ...explained, lines };
  };
}

/** A mistyped address is not a host name: the last label of a host name is not a number (RFC 3696, 2). */
function isHostName(text: string): boolean {
  return /^(?:[a-z0-9_-]+\.)*(?=[a-z0-9_-]*[a-z])[a-z0-9_-]+\.?$/i.test(text);
}

const callerLine =
  'caller      assumed to be the account itself: this realm asks for a factor of the caller of su';

function factsOf(user: string, uid: number, query: ExplainQuery, bootId: string): LoginFacts {
  const { service, from, tty, sshKey } = query;
  const source = from === undefined ? undefined : canonicalAddress(from);
  if (from !== undefined && source === undefined && !isHostName(from))
    throw new SallyportError(
      'bad-request',
      '"from" must be a literal IPv4 or IPv6 address, or a host name as sshd passes it on with UseDNS',
    );
  if (sshKey !== undefined && service !== 'sshd')
    throw new SallyportError('bad-request', 'only sshd verifies SSH keys: "sshKey" needs service sshd');
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
