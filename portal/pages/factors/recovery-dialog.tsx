import { useState } from 'preact/hooks';
import type { EnrolBody, KindAlone } from '../../../daemon/api/views.ts';
import { call } from '../api.ts';
import { Message } from '../components/message.tsx';
import { useConfirmation } from '../confirmation.tsx';
import { useWork } from '../use-task.ts';
import { type AddDialogProps, FactorDialog } from './factor-dialog.tsx';
import { RecoverySheet } from './recovery-sheet.tsx';

export interface RecoveryDialogProps extends AddDialogProps {
  readonly kind: KindAlone<EnrolBody>;
}

/** Creates the keys, and then shows them once. */
export function RecoveryDialog({ kind, user, offered, onClose, onReload }: RecoveryDialogProps) {
  const [keys, setKeys] = useState<readonly string[]>();
  const work = useWork();
  const submit = () =>
    work.run(async () => {
      const added = await confirmation.run(() =>
        call('POST /api/users/:user/factors', {
          path: { user: user.account },
          body: { kind, verify: true },
        }),
      );
      if (added === undefined) return;
      setKeys(added.recoveryKeys ?? []);
      onReload();
    });
  const confirmation = useConfirmation({ onVerified: submit });
  const old = user.factors.find((other) => other.kind === kind);

  if (keys !== undefined) return <RecoverySheet account={user.account} keys={keys} onClose={onClose} />;
  return (
    <FactorDialog
      title={offered ? 'Recovery keys, in case you lose your device' : 'Add recovery keys'}
      action={old === undefined ? 'Create recovery keys' : 'Replace recovery keys'}
      leave={offered ? 'Not now' : 'Cancel'}
      first={confirmation.fields === null ? 'action' : undefined}
      filled={confirmation.filled}
      work={work}
      codesOfFields={[]}
      onSubmit={submit}
      onClose={onClose}
    >
      <p>
        Ten keys, each valid for one login, in place of any other second factor. Print them and lock them
        away, or keep them in a password vault: with them you can log in when your other factors are lost.
      </p>
      {old !== undefined && (
        <Message kind="warning">
          There is a set already ({old.detail}). A new one ends it: its keys stop working at once.
        </Message>
      )}
      {confirmation.fields}
    </FactorDialog>
  );
}
