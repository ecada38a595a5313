import { useState } from 'preact/hooks';
import type { FactorSummary, UserView } from '../../../daemon/api/views.ts';
import { Menu } from '../components/menu.tsx';
import { Message } from '../components/message.tsx';
import { lockText } from '../labels.ts';
import { usePortal } from '../session.ts';
import { useUser } from '../use-user.ts';
import { ChangeDialog, type ChangeKind } from './change-dialog.tsx';
import { FactorList } from './factor-list.tsx';
import { addableKinds, type KindName, kinds, offeredKind } from './kinds.ts';
import { lackText, whyNot } from './requirements.ts';

type Open =
  | { readonly dialog: 'add'; readonly kind: KindName; readonly offered: boolean }
  | { readonly dialog: 'change'; readonly kind: ChangeKind; readonly factor: FactorSummary }
  | { readonly dialog: 'switch'; readonly factor: FactorSummary };

export interface FactorsProps {
  readonly user: UserView;
  /** Whether they belong to the signed-in user; otherwise an administrator sees those of another account. */
  readonly mine: boolean;
  readonly reload: () => Promise<void>;
}

/** The list of an account's second factors, with all actions. */
export function Factors(props: FactorsProps) {
  const { user, mine } = props;
  const [open, setOpen] = useState<Open>();
  const now = Date.now();
  const locked = lockText(user, now);
  const lack = lackText(user, mine);
  return (
    <section aria-label="Second factors">
      {locked !== undefined && <Message kind="warning">{locked}</Message>}
      {lack !== undefined && <Message kind="warning">{lack}</Message>}
      <div class="toolbar">
        <AddMenu user={user} onChoose={(kind) => setOpen({ dialog: 'add', kind, offered: false })} />
        {mine && user.realm !== undefined && (
          <p class="realm">
            Realm <b>{user.realm.name}</b>
          </p>
        )}
      </div>
      <FactorList
        user={user}
        now={now}
        mine={mine}
        onChange={(factor, kind) => setOpen({ dialog: 'change', kind, factor })}
        onSwitch={(factor) => setOpen({ dialog: 'switch', factor })}
      />
      {open !== undefined && <OpenDialog {...props} open={open} setOpen={setOpen} />}
    </section>
  );
}

function AddMenu({
  user,
  onChoose,
}: {
  readonly user: UserView;
  readonly onChoose: (kind: KindName) => void;
}) {
  const { say } = usePortal();
  return (
    <Menu
      label="Add"
      button="button button-main"
      items={addableKinds.map(({ kind, label, note }) => {
        const reason = whyNot(kind, user);
        return {
          label,
          note: reason ?? note,
          disabled: reason !== undefined,
          onChoose: () => {
            say(undefined);
            onChoose(kind);
          },
        };
      })}
    />
  );
}

interface OpenDialogProps extends FactorsProps {
  readonly open: Open;
  readonly setOpen: (open: Open | undefined) => void;
}

function OpenDialog({ user, mine, reload, open, setOpen }: OpenDialogProps) {
  const { say } = usePortal();
  const finish = (text: string, warning: string | undefined, next?: Open) => {
    say(warning === undefined ? { kind: 'done', text } : { kind: 'warning', text: `${text} ${warning}` });
    setOpen(next);
    void reload();
  };
  const common = { user, onClose: () => setOpen(undefined) };
  if (open.dialog === 'change')
    return (
      <ChangeDialog
        {...common}
        kind={open.kind}
        factor={open.factor}
        onChanged={(view, kind) => finish(`“${view.factor?.name ?? ''}” ${done[kind]}.`, view.warning)}
      />
    );
  if (open.dialog === 'switch') {
    const { legacy } = kinds[open.factor.kind];
    return legacy === undefined ? null : (
      <legacy.Dialog
        {...common}
        factor={open.factor}
        onSwitched={(warning) => finish(legacy.done, warning)}
      />
    );
  }
  const { adding } = kinds[open.kind];
  return adding === undefined ? null : (
    <adding.Dialog
      {...common}
      offered={open.offered}
      onReload={() => void reload()}
      onAdded={({ factor, warning }) => {
        const isFirst = ![...user.factors, factor].some(({ kind }) => kind === offeredKind);
        const offer: Open = { dialog: 'add', kind: offeredKind, offered: true };
        finish(`“${factor.name}” was added.`, warning, isFirst && mine ? offer : undefined);
      }}
    />
  );
}

const done: Readonly<Record<ChangeKind, string>> = {
  rename: 'is the new name',
  enable: 'is enabled',
  disable: 'is disabled',
  remove: 'was removed',
};

export function MyFactorsPage({ account }: { readonly account: string }) {
  const { user, problem, reload } = useUser(account);
  return (
    <>
      <h1>My second factors</h1>
      {problem !== undefined && <Message kind="error">{problem}</Message>}
      {user === undefined && problem === undefined && <p class="empty">Loading …</p>}
      {user !== undefined && <Factors user={user} mine reload={reload} />}
    </>
  );
}
