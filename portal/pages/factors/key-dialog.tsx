import { useState } from 'preact/hooks';
import type { EnrolView } from '../../../daemon/api/views.ts';
import { call } from '../api.ts';
import { Message } from '../components/message.tsx';
import { useConfirmation } from '../confirmation.tsx';
import { makeKey } from '../security-key.ts';
import { useWork } from '../use-task.ts';
import { type AddDialogProps, FactorDialog, NameField, nameCodes } from './factor-dialog.tsx';

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
  const confirmation = useConfirmation({ onVerified: submit });
  const filled = name.trim() !== '' && confirmation.filled;

  return (
    <FactorDialog
      title="Add a security key"
      action={work.problem?.code === 'key' ? 'Try again' : 'Add'}
      filled={filled}
      work={work}
      codesOfFields={nameCodes}
      onSubmit={submit}
      onClose={onClose}
    >
      <p>
        A hardware key, the key that is built into this device (TPM, finger, face), or a passkey. Your browser
        asks for it next.
      </p>
      <NameField
        name={name}
        onName={setName}
        work={work}
        hint="A name that you recognise, such as “blue key on the ring”."
      />
      {confirmation.fields}
      {work.busy && (
        <Message kind="info">Follow what your browser asks, and touch the key when it blinks.</Message>
      )}
    </FactorDialog>
  );
}
