import type { Realm } from '../config/contract.ts';
import { codeOf, messageOf, SallyportError } from '../lib/errors.ts';
import { createSemaphore } from '../lib/slots.ts';
import { limits } from '../limits.ts';
import { referencedGroups, selectRealm } from '../policy/realm.ts';
import { type Owner, ownRecord } from '../store/sealed/record-owner.ts';
import { known } from '../verifier/assessment.ts';
import { retryOnConflict } from '../verifier/audited-store.ts';
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
 * Import from another system, and export.
 *
 * Invariants:
 * - a name that is not an account leaves nothing behind (rule 7); a file that root does not own speaks only for its
 *   owner;
 * - each account is one commit, conditional on what was read, that includes its events;
 * - the outcome of one account does not affect the others;
 * - logins continue meanwhile: an import uses only some of the NSS threads.
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
    return refused('internal', 'sallyportd reported an internal error; see: journalctl -u sallyportd');
  }
}

function refused(code: string, message: string): ImportedAccount {
  return { outcome: 'refused', code, message, factors: [], locked: false };
}

/** The account that is imported. */
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
      user === undefined
        ? `no account has uid ${owner}`
        : `account "${user}" not found; check: getent passwd ${user}`,
    );
  const { account } = found;
  if (owner !== undefined && owner !== account.uid)
    throw new SallyportError(
      'wrong-owner',
      `the file belongs to uid ${owner}, and this account is uid ${account.uid}: a file that root does not own is valid only for its owner`,
    );
  const selected = selectRealm(current, account, found.groups);
  if (selected.kind === 'realm')
    return { owner: account, realm: selected.realm, rpId: current.webauthn?.rpId };
  throw new SallyportError(
    'accounts-unavailable',
    `cannot determine the realm: the group ${selected.group} does not resolve; check: getent group`,
  );
}

/** @returns undefined if another commit came first; decide again */
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

/** The last-used counters of the YubiKeys in the entry, across all accounts. */
async function tokensOf({ store }: ImportExportOptions, { factors }: ImportEntry): Promise<YubikeyCounters> {
  const names = new Set(factors.flatMap((moved) => importingOf(moved).counterNames?.(moved) ?? []));
  return new Map(await Promise.all([...names].map(async (name) => [name, await store.token(name)] as const)));
}
