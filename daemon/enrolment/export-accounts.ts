import { kindOf } from '../factors/kinds.ts';
import { SallyportError } from '../lib/errors.ts';
import type { AccountRecord } from '../store/contract.ts';
import { retryOnConflict } from '../verifier/audited-store.ts';
import { changeEvent } from '../verifier/events.ts';
import type {
  ExportedAccount,
  ExportRequest,
  ImportExport,
  ImportExportOptions,
  PortableFactor,
} from './import-export-types.ts';

/**
 * Exports secrets, for a move to another system.
 *
 * Invariant: the event is durable before a secret of that account is returned, and what is returned is what the
 * event's commit is based on; a store that cannot be written returns nothing.
 */
export function createExporter(options: ImportExportOptions): ImportExport['give'] {
  return async (request) => {
    const { users, after, limit } = request;
    if (users !== undefined) {
      const named = [...new Set(users)];
      const records = await Promise.all(named.map((user) => options.store.account(user)));
      const missing = named.find((_, index) => (records[index]?.value?.factors.length ?? 0) === 0);
      // Before any event records an export.
      if (missing !== undefined)
        throw new SallyportError(
          'no-such-account',
          `${missing} has no factors here; nothing can be exported`,
        );
      const accounts = await Promise.all(named.map((user) => give(options, request, user)));
      return { accounts: accounts.flatMap((one) => one ?? []) };
    }
    const page = await options.store.accounts({ limit, ...(after === undefined ? {} : { after }) });
    const accounts = await Promise.all(
      page.map(async ({ account, damaged }): Promise<readonly ExportedAccount[]> => {
        if (damaged !== undefined)
          return [{ account, factors: [], left: [{ kind: '', name: '', why: damaged }] }];
        return (await give(options, request, account)) ?? [];
      }),
    );
    const last = page.length === limit ? page.at(-1) : undefined;
    return { accounts: accounts.flat(), ...(last === undefined ? {} : { next: last.account }) };
  };
}

/** @returns undefined if the account has no factor */
async function give(
  { store, clock }: ImportExportOptions,
  { actor }: ExportRequest,
  account: string,
): Promise<ExportedAccount[] | undefined> {
  return retryOnConflict<{ readonly given: ExportedAccount[] | undefined }>(async () => {
    const { value, version } = await store.account(account);
    if (value === undefined || value.factors.length === 0) return { given: undefined };
    const given = exported(value);
    const event = changeEvent('exported', {
      outcome: 'done',
      reason: given.factors.length > 0 ? 'secrets' : 'nothing',
      account,
      at: clock.now(),
      actor,
    });
    const outcome = await store.commit({ accounts: [{ account, version }], events: [event] });
    return outcome === 'committed' ? { given: [given] } : undefined;
  }).then(({ given }) => given);
}

function exported({ account, factors }: AccountRecord): ExportedAccount {
  const moved = factors.map((factor) => ({ factor, as: kindOf(factor).exported(factor) }));
  return {
    account,
    factors: moved.flatMap(({ factor: { name, created, enabled }, as }) =>
      typeof as === 'string' ? [] : [{ ...(as as PortableFactor), name, created, enabled }],
    ),
    left: moved.flatMap(({ factor: { kind, name }, as }) =>
      typeof as === 'string' ? [{ kind, name, why: as }] : [],
    ),
  };
}
