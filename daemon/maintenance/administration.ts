import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { createAdmin } from '../admin/admin.ts';
import type { Admin } from '../admin/contract.ts';
import { httpStatus, isControlCode } from '../api/error-codes.ts';
import type { OperationName } from '../api/operations.ts';
import { type Route, route } from '../api/routes.ts';
import * as schema from '../api/schema.ts';
import { createFactorEnrolment } from '../enrolment/add-factor.ts';
import { recoveryKind } from '../factors/kinds.ts';
import { createAccounts } from '../host/accounts.ts';
import type { Addon } from '../host/addon.ts';
import { bootId } from '../host/process.ts';
import { createAccountMutex } from '../lib/account-mutex.ts';
import { codeOf, messageOf, SallyportError } from '../lib/errors.ts';
import { version } from '../lib/program.ts';
import { systemRandomness } from '../lib/randomness.ts';
import { isStoreError } from '../sealing/error.ts';
import type { Store } from '../store/contract.ts';
import { openStore } from '../store/leveldb/open.ts';
import { AuditedStore } from '../verifier/audited-store.ts';
import type { Verifier } from '../verifier/contract.ts';
import type { CodeVerificationOptions } from '../verifier/verify-code.ts';
import { offlineActor } from './drop-privileges.ts';
import { type OfflineContext, prepare, quiet } from './offline-context.ts';

/** One line of input: an operation of control.sock, as a client would request it. */
interface Asked {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
}

interface ServerContext {
  readonly admin: Admin;
  readonly verifier: Pick<Verifier, 'enrol'>;
}

type Work = (context: ServerContext, account: string, route: Route, body: unknown) => Promise<unknown>;

/**
 * What root needs to recover access, and no more. Operations that need a verification or a user's token need the
 * daemon.
 */
const works: Partial<Record<OperationName, Work>> = {
  'user-list': async ({ admin }, _, { query }) => admin.users(schema.readPage(query)),
  'user-show': async ({ admin }, account) => ({
    ...(await admin.user(account)),
    mayAdd: true,
    mayAddUnverified: true,
  }),
  'user-unlock': async ({ admin }, account) => admin.unlock(offlineActor, account),
  'factor-list': async ({ admin }, account) => ({ factors: await admin.factors(account) }),
  'factor-add': async ({ verifier }, user, _, body) => {
    const { kind, name } = schema.readEnrol(body);
    if (kind !== recoveryKind) throw notOffline();
    const named = name === undefined ? {} : { name };
    return verifier.enrol({ actor: offlineActor, user, kind, verify: true, ...named });
  },
  'factor-enable': async ({ admin }, account, { parameters }) =>
    admin.setEnabled(offlineActor, account, parameters.factor ?? '', true),
  'factor-disable': async ({ admin }, account, { parameters, query }) =>
    admin.setEnabled(offlineActor, account, parameters.factor ?? '', false, {
      isConfirmed: schema.readConfirmed(query),
    }),
  'factor-remove': async ({ admin }, account, { parameters, query }) =>
    admin.remove(offlineActor, account, parameters.factor ?? '', {
      isConfirmed: schema.readConfirmed(query),
    }),
  'audit-read': async ({ admin }, account, { query }) => {
    const asked = schema.readAudit(query);
    return admin.audit(account === '' ? asked : { ...asked, user: account });
  },
};

function notOffline(): SallyportError {
  return new SallyportError(
    'bad-request',
    'this needs a running sallyportd; --offline does: user list, show and unlock, factor list, add recovery, enable, disable and remove, audit',
  );
}

/**
 * `sallyportd --offline`: answers requests of control.sock on standard input and output, one JSON object per line,
 * from the store itself.
 *
 * Invariants:
 * - the store's own lock is held before a byte is read, so that no daemon runs beside it;
 * - a change goes through the same admin and verifier, and leaves its event in the same commit;
 * - it was started by root or by the store's own user: there are no other callers to distinguish.
 */
export async function offline(
  file: string,
  addon: Addon,
  input: Readable,
  output: Writable,
): Promise<boolean> {
  const say = (what: object): void => void output.write(`${JSON.stringify(what)}\n`);
  let store: Store | undefined;
  try {
    const prepared = prepare(file);
    store = await open(prepared, addon);
    const context = contextOf(prepared, store, addon);
    const accounts = createAccounts({ lookup: addon.lookupAccount });
    say({ ready: true });
    for await (const line of createInterface({ input, terminal: false })) {
      say(await answer(line, context, accounts));
    }
    return true;
  } catch (error) {
    say({ error: { code: codeOf(error), message: messageOf(error) } });
    return false;
  } finally {
    await store?.close();
  }
}

async function open({ paths, keyring }: OfflineContext, addon: Addon): Promise<Store> {
  try {
    return await openStore({ directory: paths.store, anchor: paths.anchor, keyring, locks: addon });
  } catch (error) {
    throw isStoreError(error, 'store-locked') ? daemonRunningError() : error;
  }
}

const stopCommand =
  'systemctl stop sallyport-control.socket sallyport-pam.socket sallyport-pam-user.socket sallyportd';

/** For operations that need exclusive access to the store. */
export function daemonRunningError(): SallyportError {
  return new SallyportError(
    'store-locked',
    `sallyportd is running and uses the store. Nothing was changed. Stop it first, and the sockets that would start it again: ${stopCommand}`,
  );
}

function contextOf({ configuration, keyring }: OfflineContext, store: Store, addon: Addon): ServerContext {
  const accounts = createAccounts({ lookup: addon.lookupAccount });
  const started = Date.now();
  return {
    admin: createAdmin({
      store,
      accounts,
      configuration,
      now: Date.now,
      bootId: bootId(),
      version: version(),
      started,
    }),
    verifier: createFactorEnrolment({
      ...unavailableServices,
      store,
      accounts,
      config: configuration.current,
      keyedHash: keyring.keyedHash('recovery'),
      randomness: systemRandomness,
      clock: { now: Date.now, monotonic: () => performance.now() },
      log: quiet,
      auditedStore: new AuditedStore(store, quiet),
      accountMutex: createAccountMutex(),
    }),
  };
}

async function answer(
  line: string,
  context: ServerContext,
  accounts: ReturnType<typeof createAccounts>,
): Promise<{ status: number; body: unknown }> {
  try {
    const { method, path, body } = JSON.parse(line) as Asked;
    const found = route(method, path);
    const work = works[found.name];
    if (work === undefined) throw notOffline();
    const account = await accountIn(found, context.admin, accounts);
    return { status: 200, body: await work(context, account, found, body) };
  } catch (error) {
    const known = error instanceof SallyportError && isControlCode(error.code);
    const code = known && isControlCode(error.code) ? error.code : 'internal';
    return { status: httpStatus[code], body: { error: { code, message: messageOf(error) } } };
  }
}

/** The canonical name; that of a record, if NSS no longer knows the account or is unavailable. */
async function accountIn(
  { parameters, query }: Route,
  admin: Admin,
  accounts: ReturnType<typeof createAccounts>,
): Promise<string> {
  const name = parameters.user ?? query.user ?? '';
  if (name === '') return name;
  const found = await accounts.byName(name, []);
  if (found.status === 'found') return found.account.name;
  if ((await admin.recordOwner(name)) !== undefined) return name;
  throw new SallyportError('no-such-account', `account "${name}" not found; check: getent passwd ${name}`);
}

const unavailable = (): never => {
  throw new Error('internal error: this service needs a running sallyportd; please report this');
};

/** Security keys, validation servers and browsers are only available in a running daemon. */
export const unavailableServices: Pick<
  CodeVerificationOptions,
  'rateLimiter' | 'validations' | 'assertions' | 'keyRequests' | 'approvals' | 'unknownNames' | 'rateLimited'
> = {
  rateLimiter: { allows: () => false, failed: unavailable, forgive: unavailable, size: 0 },
  validations: { needed: () => undefined, said: () => undefined },
  assertions: { prepare: unavailable, of: unavailable, needed: unavailable },
  keyRequests: { isPlugged: async () => false },
  approvals: { open: unavailable },
  unknownNames: { add: unavailable, flush: () => undefined },
  rateLimited: { add: unavailable, flush: () => undefined },
};
