import { hostname } from 'node:os';
import type { Log } from '../lib/log.ts';
import { createAccounts } from './accounts.ts';
import type { LocalAccount, LookupAccount } from './addon.ts';
import type { HostFacts } from './contract.ts';
import { createFidoHelper, type FidoHelperOptions } from './fido-helper.ts';
import { readSessionIsLocal } from './logind.ts';
import { createPasswordHelper, type PasswordHelperOptions } from './password-helper.ts';
import { bootId } from './process.ts';

export interface LocalHostOptions {
  readonly lookup: LookupAccount;
  readonly local: LocalAccount;
  readonly fido: FidoHelperOptions['where'];
  readonly password: PasswordHelperOptions['where'];
  readonly log: Log;
}

/** The machine that sallyportd runs on: NSS, logind, the kernel, the security keys plugged in, and PAM. */
export function createLocalHost({ lookup, local, fido, password, log }: LocalHostOptions): HostFacts {
  return {
    id: '',
    name: hostname(),
    bootId: bootId(),
    accounts: createAccounts({ lookup, local }),
    sessionIsLocal: readSessionIsLocal,
    securityKeys: createFidoHelper({ where: fido, log }),
    passwords: createPasswordHelper({ where: password, log }),
  };
}
