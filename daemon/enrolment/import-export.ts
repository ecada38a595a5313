import type { Realm } from '../config/contract.ts';
import { codeOf, messageOf, SallyportError } from '../lib/errors.ts';
import { createSemaphore } from '../lib/slots.ts';
import { limits } from '../limits.ts';
import { referencedGroups, selectRealm } from '../policy/realm.ts';
import { type Owner, ownRecord } from '../store/sealed/record-owner.ts';
import { retryOnConflict } from '../verifier/audited-store.ts';
import { known } from '../verifier/login-accounts.ts';
import type { YubikeyCounters } from '../verifier/yubikey-counters.ts';
import { applyImport, importingOf } from './apply-import.ts';
import { createExporter } from './export-accounts.ts';
import type {
  ImportEntry,
  ImportExport,
  ImportExportOptions,
  ImportedAccount,
  ImportRequest,
} from './import-export-types.ts';

/**
 * Moving here from another system, and leaving.
 *
 * MUST hold:
 * - a name that is no account leaves nothing behind (rule 7); a file that is not root's speaks for its owner alone;
 * - each account is one commit, conditional on what was read, with its events in it;
 * - whatever becomes of one account, the others go on;
 * - logins go on meanwhile: only some of NSS's threads are ever asked about accounts that move.
 */
export function createImportExport(options: ImportExportOptions): ImportExport {
  const semaphore = createSemaphore(limits.movingLookups);
  const take = (request: ImportRequest, entry: ImportEntry) =>
    takeEntry(options, request, entry, () => semaphore(() => subjectOf(options, entry)));
  return {
    take: (request) => Promise.all(request.entries.map((entry) => take(request, entry))),
    give: createExporter(options),
  };
}

async function takeEntry(
  options: ImportExportOptions,
  request: ImportRequest,
  entry: ImportEntry,
  lookUp: () => Promise<ImportTarget>,
): Promise<ImportedAccount> {
  try {
    const subject = await lookUp();
    return await retryOnConflict(() => tryTake(options, request, entry, subject));
  } catch (error) {
    if (error instanceof SallyportError) return refused(codeOf(error), messageOf(error));
    options.log.error('import-failed', { message: messageOf(error) });
    return refused('internal', 'something failed in sallyportd; its log says what: journalctl -u sallyportd');
  }
}

function refused(code: string, message: string): ImportedAccount {
  return { outcome: 'refused', code, message, factors: [], locked: false };
}

/** Who moves. */
interface ImportTarget {
  readonly owner: Owner;
  readonly realm: Realm;
  readonly rpId: string | undefined;
}

/** @throws SallyportError `no-such-account`, `wrong-owner`, `accounts-unavailable` */
async function subjectOf(
  { config, accounts }: ImportExportOptions,
  { user, owner }: ImportEntry,
): Promise<ImportTarget> {
  const current = config();
  const groups = referencedGroups(current);
  const found = known(
    await (user === undefined ? accounts.byUid(owner ?? -1, groups) : accounts.byName(user, groups)),
  );
  if (found === undefined)
    throw new SallyportError(
      'no-such-account',
      'there is no such account here, so nothing of it is stored; check the name with: getent passwd',
    );
  const { account } = found;
  if (owner !== undefined && owner !== account.uid)
    throw new SallyportError(
      'wrong-owner',
      `the file belongs to uid ${owner}, and this account is uid ${account.uid}: a file that is not root's speaks for its owner alone`,
    );
  const selected = selectRealm(current, account, found.groups);
  if (selected.kind === 'realm')
    return { owner: account, realm: selected.realm, rpId: current.webauthn?.rpId };
  throw new SallyportError(
    'accounts-unavailable',
    `the realm cannot be told: the group ${selected.group} does not resolve; check it with: getent group`,
  );
}

/** @returns undefined: the commit met another one; decide again */
async function tryTake(
  options: ImportExportOptions,
  { actor, source, dryRun }: ImportRequest,
  entry: ImportEntry,
  { owner, realm, rpId }: ImportTarget,
): Promise<ImportedAccount | undefined> {
  const { keyedHash, randomness } = options;
  const now = options.clock.now();
  const { value, version } = await options.store.account(owner.name);
  const record = ownRecord(value, owner, now);
  const taken = applyImport({
    entry,
    record,
    realm,
    setting: { now, keyedHash, randomness, ...(rpId === undefined ? {} : { rpId }) },
    tokens: await tokensOf(options, entry),
    actor,
    source,
  });
  if (dryRun || taken.events.length === 0) return taken.said;
  const isDone = await options.auditedStore.change(
    { record, version },
    taken.record,
    taken.events,
    taken.tokens,
  );
  return isDone ? taken.said : undefined;
}

/** What is spent of the YubiKeys that are to come, whoever they belong to. */
async function tokensOf({ store }: ImportExportOptions, { factors }: ImportEntry): Promise<YubikeyCounters> {
  const names = new Set(factors.flatMap((moved) => importingOf(moved).counterNames?.(moved) ?? []));
  return new Map(await Promise.all([...names].map(async (name) => [name, await store.token(name)] as const)));
}
