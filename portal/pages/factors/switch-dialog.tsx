import { useState } from 'preact/hooks';
import type { FactorSummary, UserView } from '../../../daemon/api/views.ts';
import { call, messageOf } from '../api.ts';
import { useConfirmation } from '../confirmation.tsx';
import { useWork } from '../use-task.ts';
import { FactorDialog, NameField, nameCodes } from './factor-dialog.tsx';
import { addKey } from './key-dialog.tsx';

export interface SwitchDialogProps {
  readonly user: UserView;
  readonly factor: FactorSummary;
  readonly onClose: () => void;
  readonly onSwitched: (warning: string | undefined) => void;
}

/** Replaces a legacy U2F credential with a WebAuthn one: the key is added first, then the old entry is removed. */
export function SwitchDialog({ user, factor, onClose, onSwitched }: SwitchDialogProps) {
  const [name, setName] = useState(`${factor.name} (WebAuthn)`);
  const work = useWork();
  const submit = () =>
    work.run(async () => {
      const added = await confirmation.run(() => addKey(user.account, name.trim()));
      if (added === undefined) return;
      try {
        const gone = await call('DELETE /api/users/:user/factors/:factor', {
          path: { user: user.account, factor: factor.id },
          query: {},
        });
        onSwitched(added.warning ?? gone.warning);
      } catch (error) {
        onSwitched(
          `The key was added, but the old entry is still there: ${messageOf(error)} Remove it in the list.`,
        );
      }
    });
  const confirmation = useConfirmation({ onVerified: submit });
  const filled = name.trim() !== '' && confirmation.filled;

  return (
    <FactorDialog
      title="Switch to WebAuthn"
      action={work.problem?.code === 'key' ? 'Try again' : 'Switch'}
      filled={filled}
      work={work}
      codesOfFields={nameCodes}
      onSubmit={submit}
      onClose={onClose}
    >
      <p>
        Plug in the key that is listed as <b>{factor.name}</b>. It is added as a security key (WebAuthn), and
        then the legacy entry is removed. Nothing is removed before the key was added.
      </p>
      <NameField name={name} onName={setName} work={work} />
      {confirmation.fields}
    </FactorDialog>
  );
}
