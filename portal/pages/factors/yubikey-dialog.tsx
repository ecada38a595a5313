import { useState } from 'preact/hooks';
import { call } from '../api.ts';
import { useConfirmation } from '../confirmation.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Field } from '../parts/field.tsx';
import { Message } from '../parts/message.tsx';
import { problemAt, problemElsewhere, useWork } from '../work.ts';
import type { AddDialogProps } from './totp-dialog.tsx';

const nameCodes = ['bad-name', 'name-taken'];
const touchCodes = ['wrong-code', 'bad-secret'];

export function YubikeyDialog({ user, onClose, onAdded }: AddDialogProps) {
  const [name, setName] = useState('');
  const [touch, setTouch] = useState('');
  const work = useWork();
  const submit = () =>
    work.run(async () => {
      const added = await confirmation.run(() =>
        call('POST /api/users/:user/factors', {
          path: { user: user.account },
          body: { kind: 'yubikey', validation: 'cloud', name: name.trim(), code: touch.trim(), verify: true },
        }),
      );
      if (added !== undefined) onAdded(added);
    });
  const confirmation = useConfirmation({ onProven: submit });
  // A YubiKey ends what it types with Enter, and must not send a form that is half filled.
  const filled = name.trim() !== '' && touch.trim().length >= 32 && confirmation.filled;
  const { problem } = work;
  const elsewhere = problemElsewhere(problem, [...nameCodes, ...touchCodes]);

  return (
    <Dialog
      title="Add a YubiKey OTP"
      onClose={onClose}
      onSubmit={() => (filled ? submit() : undefined)}
      actions={
        <>
          <button type="submit" class="button button-main" disabled={!filled || work.busy}>
            Add
          </button>
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
        </>
      }
    >
      <Field
        label="Name"
        value={name}
        onValue={(value) => {
          setName(value);
          work.clear();
        }}
        error={problemAt(problem, nameCodes)}
        input={{ autocomplete: 'off', required: true, maxLength: 200 }}
      />
      {confirmation.fields}
      <Field
        label="Touch of the YubiKey"
        value={touch}
        onValue={(value) => {
          setTouch(value);
          work.clear();
        }}
        error={problemAt(problem, touchCodes)}
        hint="Put the cursor here and touch the key once: it types 44 letters by itself."
        input={{
          autocomplete: 'off',
          autocapitalize: 'off',
          spellcheck: false,
          required: true,
          class: 'mono',
        }}
      />
      <Message kind="info">
        Most YubiKeys can be added as a security key too. That is the better choice where the realm takes it.
      </Message>
      {elsewhere !== undefined && <Message kind="error">{elsewhere}</Message>}
    </Dialog>
  );
}
