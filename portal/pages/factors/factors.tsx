import { useState } from 'preact/hooks';
import type { ChangeView, EnrolView, FactorSummary, UserView } from '../../../daemon/api/views.ts';
import { Menu } from '../components/menu.tsx';
import { Message } from '../components/message.tsx';
import { type AddableKind, lackText, lockText, whyNot } from '../labels.ts';
import { usePortal } from '../session.ts';
import { useUser } from '../use-user.ts';
import { ChangeDialog, type ChangeKind } from './change-dialog.tsx';
import { FactorList } from './factor-list.tsx';
import { KeyDialog } from './key-dialog.tsx';
import { RecoveryDialog } from './recovery-dialog.tsx';
import { SwitchDialog } from './switch-dialog.tsx';
import { TotpDialog } from './totp-dialog.tsx';
import { YubikeyDialog } from './yubikey-dialog.tsx';

type Open =
  | { readonly dialog: AddableKind }
  | { readonly dialog: 'offer' }
  | { readonly dialog: 'change'; readonly kind: ChangeKind; readonly factor: FactorSummary }
  | { readonly dialog: 'switch'; readonly factor: FactorSummary };

export interface FactorsProps {
  readonly user: UserView;
  /** Whether they belong to the signed-in user; otherwise an administrator sees those of another account. */
  readonly mine: boolean;
  readonly reload: () => Promise<void>;
}

const addable: readonly { readonly kind: AddableKind; readonly label: string; readonly note: string }[] = [
  { kind: 'totp', label: 'TOTP', note: 'A code from an app on a phone' },
  { kind: 'webauthn', label: 'Security key (WebAuthn)', note: 'A key, this device, or a passkey' },
  { kind: 'recovery', label: 'Recovery keys', note: 'Ten single-use keys, to print or store' },
  { kind: 'yubikey', label: 'YubiKey OTP', note: 'One touch types a code' },
];

/** The list of an account's second factors, with all actions. */
export function Factors({ user, mine, reload }: FactorsProps) {
  const { say } = usePortal();
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const now = Date.now();
  const locked = lockText(user, now);
  const lack = lackText(user, mine);
  const none = { user, onClose: close };

  const added = (view: EnrolView) => {
    const first = view.factor.kind !== 'recovery' && !user.factors.some(({ kind }) => kind === 'recovery');
    const text = `“${view.factor.name}” was added.`;
    say(
      view.warning === undefined
        ? { kind: 'done', text }
        : { kind: 'warning', text: `${text} ${view.warning}` },
    );
    setOpen(first && mine ? { dialog: 'offer' } : undefined);
    void reload();
  };
  const changed = (view: ChangeView, kind: ChangeKind) => {
    const text = `“${view.factor?.name ?? ''}” ${done[kind]}.`;
    say(
      view.warning === undefined
        ? { kind: 'done', text }
        : { kind: 'warning', text: `${text} ${view.warning}` },
    );
    close();
    void reload();
  };

  return (
    <section aria-label="Second factors">
      {locked !== undefined && <Message kind="warning">{locked}</Message>}
      {lack !== undefined && <Message kind="warning">{lack}</Message>}
      <div class="toolbar">
        <Menu
          label="Add"
          button="button button-main"
          items={addable.map(({ kind, label, note }) => {
            const reason = whyNot(kind, user);
            return {
              label,
              note: reason ?? note,
              disabled: reason !== undefined,
              onChoose: () => {
                say(undefined);
                setOpen({ dialog: kind });
              },
            };
          })}
        />
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
      {open?.dialog === 'totp' && <TotpDialog {...none} onAdded={added} />}
      {open?.dialog === 'webauthn' && <KeyDialog {...none} onAdded={added} />}
      {open?.dialog === 'yubikey' && <YubikeyDialog {...none} onAdded={added} />}
      {(open?.dialog === 'recovery' || open?.dialog === 'offer') && (
        <RecoveryDialog {...none} offered={open.dialog === 'offer'} onAdded={() => void reload()} />
      )}
      {open?.dialog === 'switch' && (
        <SwitchDialog
          {...none}
          factor={open.factor}
          onSwitched={(warning) => {
            const text = 'The key is now a security key (WebAuthn).';
            say(
              warning === undefined
                ? { kind: 'done', text }
                : { kind: 'warning', text: `${text} ${warning}` },
            );
            close();
            void reload();
          }}
        />
      )}
      {open?.dialog === 'change' && (
        <ChangeDialog {...none} kind={open.kind} factor={open.factor} onChanged={changed} />
      )}
    </section>
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
