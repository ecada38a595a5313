import type { ChangeView } from '../api/views.ts';
import type { AuditKind } from '../audit/event.ts';
import { checkedName } from '../enrolment/factor-name.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { summaryOf } from '../factors/kinds.ts';
import type { AccountRecord } from '../store/contract.ts';
import { changeEvent } from '../verifier/events.ts';
import { type AccountStatuses, type ChangedBy, refuseLoss } from './account-status.ts';
import { type ChangeOptions, commitChange, factorIn, type Proposal, withFactors } from './change.ts';
import type { Admin } from './contract.ts';

/** What is to become of a factor; undefined: it goes; same: it is so already. */
type Edit = (factor: FactorRecord, others: readonly FactorRecord[]) => FactorRecord | 'same' | undefined;

/** `before` and `after` are there when something was changed. */
interface Done {
  readonly factor: FactorRecord;
  readonly before?: AccountRecord;
  readonly after?: AccountRecord;
}

/** The factor and the account of a change, and its actor. */
interface FactorChange {
  readonly kind: AuditKind;
  readonly actor: string;
  readonly account: string;
  readonly id: string;
  readonly by?: ChangedBy | undefined;
}

/** Renames, disables and removes factors. */
export function createFactorChanges(
  options: ChangeOptions,
  accountStatus: AccountStatuses,
): Pick<Admin, 'rename' | 'setEnabled' | 'remove'> {
  const change = (asked: FactorChange, edit: Edit) => changeFactor(options, accountStatus, asked, edit);
  return {
    rename: (actor, account, id, name) =>
      change({ kind: 'factor-renamed', actor, account, id }, (factor, others) => {
        const checked = checkedName(name, others);
        return checked === factor.name ? 'same' : { ...factor, name: checked };
      }),
    setEnabled: (actor, account, id, enabled, by) =>
      change({ kind: enabled ? 'factor-enabled' : 'factor-disabled', actor, account, id, by }, (factor) =>
        factor.enabled === enabled ? 'same' : { ...factor, enabled },
      ),
    remove: (actor, account, id, by) =>
      change({ kind: 'factor-removed', actor, account, id, by }, () => undefined),
  };
}

async function changeFactor(
  options: ChangeOptions,
  accountStatus: AccountStatuses,
  { kind, actor, account, id, by = {} }: FactorChange,
  edit: Edit,
): Promise<ChangeView> {
  const done = await commitChange(options, account, async (record, empty): Promise<Proposal<Done>> => {
    const factor = factorIn(record, id);
    const before = record ?? empty;
    const edited = edit(
      factor,
      before.factors.filter((other) => other !== factor),
    );
    if (edited === 'same') return { kind: 'nothing', result: { factor } };
    const after = withFactors(
      before,
      before.factors.flatMap((old) => (old === factor ? (edited ?? []) : old)),
    );
    await refuseLoss(accountStatus, account, before, after, by);
    const event = changeEvent(kind, {
      outcome: 'done',
      reason: by.isSelf === true ? 'by-self' : 'by-admin',
      account,
      at: options.now(),
      actor,
      factor: edited ?? factor,
    });
    return { kind: 'change', write: after, event, result: { factor: edited ?? factor, before, after } };
  });
  return changeView(accountStatus, account, done);
}

async function changeView(
  accountStatus: AccountStatuses,
  account: string,
  { factor, before, after }: Done,
): Promise<ChangeView> {
  const view = { account, factor: summaryOf(factor) };
  if (before === undefined || after === undefined) return { ...view, changed: false };
  const warning = await accountStatus.lossOf(account, before, after);
  return { ...view, changed: true, ...(warning === undefined ? {} : { warning }) };
}
