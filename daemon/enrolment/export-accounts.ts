import type { FactorRecord } from '../factors/kinds.ts';
import { SallyportError, unreachable } from '../lib/errors.ts';
import type { AccountRecord } from '../store/contract.ts';
import { retryOnConflict } from '../verifier/audited-store.ts';
import { changeEvent } from '../verifier/events.ts';
import type { MovingOptions } from './import-export.ts';
import type { ExportedAccount, ExportRequest, Moving, PortableFactor } from './import-export-types.ts';

/**
 * Hands secrets out, for whoever leaves.
 *
 * MUST hold: the event is durable before a secret of that account goes out, and what goes out is what the event's
 * commit rests on; a store that cannot be written gives nothing.
 */
export function createExporter(options: MovingOptions): Moving['give'] {
  return async (request) => {
    const { users, after, limit } = request;
    if (users !== undefined) {
      const named = [...new Set(users)];
      const records = await Promise.all(named.map((user) => options.store.account(user)));
      const missing = named.find((_, index) => (records[index]?.value?.factors.length ?? 0) === 0);
      // Before any event says that something went out.
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

/** @returns nothing: it has no factor */
async function give(
  { store, clock }: MovingOptions,
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
  const moved = factors.map((factor) => ({ factor, as: movedOf(factor) }));
  return {
    account,
    factors: moved.flatMap(({ factor: { name, created, enabled }, as }) =>
      typeof as === 'string' ? [] : [{ ...as, name, created, enabled }],
    ),
    left: moved.flatMap(({ factor: { kind, name }, as }) =>
      typeof as === 'string' ? [{ kind, name, why: as }] : [],
    ),
  };
}

/** What leaves of a factor, or why nothing does. */
function movedOf(factor: FactorRecord): PortableFactor | string {
  const { enabled } = factor;
  switch (factor.kind) {
    case 'totp': {
      const { kind, secret, digits, period, algorithm, lastStep, drift } = factor;
      return { kind, enabled, secret, digits, period, algorithm, mark: lastStep, drift };
    }
    case 'hotp': {
      const { kind, secret, digits, algorithm, counter } = factor;
      return { kind, enabled, secret, digits, algorithm, counter };
    }
    case 'yubikey': {
      const { kind, publicId } = factor;
      if (factor.validation === 'cloud') return { kind, enabled, validation: 'cloud', publicId };
      const { privateId, secret, lastPress } = factor;
      return { kind, enabled, validation: 'local', publicId, privateId, secret, lastPress };
    }
    case 'webauthn':
    case 'u2f':
      return 'a security key signs for the system that it was enrolled with; enrol it there anew';
    case 'ssh-sk':
      return 'the key is in ~/.ssh already; enrol its .pub file there';
    case 'recovery':
      return 'only hashes of recovery keys are kept; make a new set there';
    case 'scratch':
      return 'only hashes of scratch codes are kept; make recovery keys there';
    case 'bypass':
      return 'a bypass code is good here alone, and ends by itself';
    default:
      return unreachable(factor);
  }
}
