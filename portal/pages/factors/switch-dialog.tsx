import { useState } from 'preact/hooks';
import type { FactorSummary, UserView } from '../../../daemon/control/views.ts';
import { call, messageOf } from '../api.ts';
import { useConfirmation } from '../confirmation.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Field } from '../parts/field.tsx';
import { Message } from '../parts/message.tsx';
import { problemAt, problemElsewhere, useWork } from '../work.ts';
import { addKey } from './key-dialog.tsx';

const nameCodes = ['bad-name', 'name-taken'];

export interface SwitchDialogProps {
  readonly user: UserView;
  readonly factor: FactorSummary;
  readonly onClose: () => void;
  readonly onSwitched: (warning: string | undefined) => void;
}

/** A legacy U2F credential becomes a WebAuthn one: the key is added anew, and only then the old one goes. */
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
        });
        onSwitched(added.warning ?? gone.warning);
      } catch (error) {
        onSwitched(
          `The key was added, but the old one is still there: ${messageOf(error)} Remove it in the list.`,
        );
      }
    });
  const confirmation = useConfirmation({ onProven: submit });
  const filled = name.trim() !== '' && confirmation.filled;
  const elsewhere = problemElsewhere(work.problem, nameCodes);

  return (
    <Dialog
      title="Switch to WebAuthn"
      onClose={onClose}
      onSubmit={() => (filled ? submit() : undefined)}
      actions={
        <>
          <button type="submit" class="button button-main" disabled={!filled || work.busy}>
            {work.problem?.code === 'key' ? 'Try again' : 'Switch'}
          </button>
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
        </>
      }
    >
      <p>
        Plug in the key that is listed as <b>{factor.name}</b>. It is added anew as a security key (WebAuthn),
        and then the legacy entry is removed. Nothing is removed before the key has been added.
      </p>
      <Field
        label="Name"
        value={name}
        onValue={(value) => {
          setName(value);
          work.clear();
        }}
        error={problemAt(work.problem, nameCodes)}
        input={{ autocomplete: 'off', required: true, maxLength: 200 }}
      />
      {confirmation.fields}
      {elsewhere !== undefined && <Message kind="error">{elsewhere}</Message>}
    </Dialog>
  );
}
