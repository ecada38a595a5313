import type { ExemptBody, ExemptView } from '../api/account-views.ts';
import type { ChangeView } from '../api/views.ts';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import type { Exemption } from '../policy/contract.ts';
import { isRunning } from '../policy/grace.ts';
import type { Store } from '../store/contract.ts';
import { changeEvent } from '../verifier/events.ts';
import { type ChangeOptions, commitChange, type Proposal } from './change.ts';

export interface Exempting {
  /** A new one replaces the previous one. @throws SallyportError bad-request */
  exempt(actor: string, account: string, body: ExemptBody): Promise<ExemptView>;
  endExemption(actor: string, account: string): Promise<ChangeView>;
}

export interface ExemptingOptions extends ChangeOptions {
  /** Called after each committed change. */
  readonly changed: (account: string, exemption: Exemption | undefined) => void;
}

/**
 * Invariants:
 * - an exemption ends at most `limits.exemption.longest` from now, whatever was requested;
 * - it and its event, which names its issuer, are one commit.
 */
export function createExempting(options: ExemptingOptions): Exempting {
  const { now, changed } = options;
  return {
    async exempt(actor, account, { until, services, reason }) {
      const view = await commitChange(options, account, (record, empty): Proposal<ExemptView> => {
        const since = now();
        if (until <= since || until - since > limits.exemption.longest)
          throw new SallyportError(
            'bad-request',
            `an exemption ends within ${limits.exemption.longest / 86_400_000} days; choose an earlier date, and renew it then`,
          );
        const exemption: Exemption = {
          since,
          until,
          by: actor,
          ...(services === undefined ? {} : { services }),
          ...(reason === undefined ? {} : { reason }),
        };
        const said = { outcome: 'done', reason: 'issued', account, at: since, actor } as const;
        const event = { ...changeEvent('exempted', said), until };
        const write = { ...(record ?? empty), exemption };
        return { kind: 'change', write, event, result: { account, changed: true, exemption } };
      });
      changed(account, view.exemption);
      return view;
    },
    async endExemption(actor, account) {
      const view = await commitChange(options, account, (record): Proposal<ChangeView> => {
        if (record?.exemption === undefined) return { kind: 'nothing', result: { account, changed: false } };
        const { exemption: _, ...write } = record;
        const event = changeEvent('exempted', {
          outcome: 'done',
          reason: 'revoked',
          account,
          at: now(),
          actor,
        });
        return { kind: 'change', write, event, result: { account, changed: true } };
      });
      changed(account, undefined);
      return view;
    },
  };
}

/** The number of exempt accounts: all records are read once a day, and changes in between are reported. */
export interface ExemptionCount {
  changed(account: string, exemption: Exemption | undefined): void;
  /** Active exemptions, and whether all records were read. */
  now(): { readonly running: number; readonly complete: boolean };
}

export function createExemptionCount(store: Pick<Store, 'accounts'>, now: () => number): ExemptionCount {
  const known = new Map<string, Exemption>();
  let complete = false;
  const changed = (account: string, exemption: Exemption | undefined) => {
    if (exemption === undefined) known.delete(account);
    else known.set(account, exemption);
  };
  /** A batch and a pause, as in the scrub, so that logins are never delayed. */
  const read = async (after?: string): Promise<void> => {
    const from = after === undefined ? {} : { after };
    const page = await store.accounts({ ...from, limit: limits.scrubBatch });
    for (const { account, record } of page) if (record !== undefined) changed(account, record.exemption);
    const last = page.at(-1);
    if (last === undefined || page.length < limits.scrubBatch) complete = true;
    else later(limits.scrubPause, last.account);
  };
  const later = (pause: number, after?: string) => {
    // A closed or unreadable store is reported elsewhere.
    setTimeout(() => read(after).catch(() => undefined), pause).unref();
  };
  later(0);
  setInterval(() => later(0), limits.scrubInterval).unref();
  return {
    changed,
    now: () => ({
      running: [...known.values()].filter((exemption) => isRunning(exemption, now())).length,
      complete,
    }),
  };
}
