import { useState } from 'preact/hooks';
import type { EnrolView } from '../../../daemon/control/views.ts';
import { call } from '../api.ts';
import { useConfirmation } from '../confirmation.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Field } from '../parts/field.tsx';
import { Message } from '../parts/message.tsx';
import { makeKey } from '../security-key.ts';
import { problemAt, problemElsewhere, useWork } from '../work.ts';
import type { AddDialogProps } from './totp-dialog.tsx';

const nameCodes = ['bad-name', 'name-taken'];

/** @throws ApiError, KeyError */
export async function addKey(account: string, name: string): Promise<EnrolView> {
  const { id, options } = await call('POST /api/users/:user/keys', {
    path: { user: account },
    body: { name },
  });
  const made = await makeKey(options);
  return await call('POST /api/users/:user/keys/:id', { path: { user: account, id }, body: made });
}

export function KeyDialog({ user, onClose, onAdded }: AddDialogProps) {
  const [name, setName] = useState('');
  const work = useWork();
  const submit = () =>
    work.run(async () => {
      const added = await confirmation.run(() => addKey(user.account, name.trim()));
      if (added !== undefined) onAdded(added);
    });
  const confirmation = useConfirmation({ onProven: submit });
  const filled = name.trim() !== '' && confirmation.filled;
  const { problem } = work;
  const elsewhere = problemElsewhere(problem, nameCodes);

  return (
    <Dialog
      title="Add a security key"
      onClose={onClose}
      onSubmit={() => (filled ? submit() : undefined)}
      actions={
        <>
          <button type="submit" class="button button-main" disabled={!filled || work.busy}>
            {problem?.code === 'key' ? 'Try again' : 'Add'}
          </button>
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
        </>
      }
    >
      <p>
        A hardware key, the key that is built into this device (TPM, finger, face), or a passkey. Your browser
        asks for it next.
      </p>
      <Field
        label="Name"
        value={name}
        onValue={(value) => {
          setName(value);
          work.clear();
        }}
        error={problemAt(problem, nameCodes)}
        hint="So that you know it again, such as “blue key on the ring”."
        input={{ autocomplete: 'off', required: true, maxLength: 200 }}
      />
      {confirmation.fields}
      {work.busy && (
        <Message kind="info">Follow what your browser asks, and touch the key when it blinks.</Message>
      )}
      {elsewhere !== undefined && <Message kind="error">{elsewhere}</Message>}
    </Dialog>
  );
}
