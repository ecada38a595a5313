import { useState } from 'preact/hooks';
import type { KindWith } from '../../../daemon/api/views.ts';
import { call } from '../api.ts';
import { Field } from '../components/field.tsx';
import { Message } from '../components/message.tsx';
import { useConfirmation } from '../confirmation.tsx';
import { problemAt, useWork } from '../use-task.ts';
import { type AddDialogProps, FactorDialog, NameField, nameCodes } from './factor-dialog.tsx';

const touchCodes = ['wrong-code', 'bad-secret'];

export interface YubikeyDialogProps extends AddDialogProps {
  readonly kind: KindWith<'validation'>;
}

export function YubikeyDialog({ kind, user, onClose, onAdded }: YubikeyDialogProps) {
  const [name, setName] = useState('');
  const [touch, setTouch] = useState('');
  const work = useWork();
  const submit = () =>
    work.run(async () => {
      const added = await confirmation.run(() =>
        call('POST /api/users/:user/factors', {
          path: { user: user.account },
          body: { kind, validation: 'cloud', name: name.trim(), code: touch.trim(), verify: true },
        }),
      );
      if (added !== undefined) onAdded(added);
    });
  const confirmation = useConfirmation({ onVerified: submit });
  // A YubiKey types Enter after its code, which must not send an incomplete form.
  const filled = name.trim() !== '' && touch.trim().length >= 32 && confirmation.filled;
  const { problem } = work;

  return (
    <FactorDialog
      title="Add a YubiKey OTP"
      action="Add"
      filled={filled}
      work={work}
      codesOfFields={[...nameCodes, ...touchCodes]}
      onSubmit={submit}
      onClose={onClose}
    >
      <NameField name={name} onName={setName} work={work} />
      {confirmation.fields}
      <Field
        label="Touch of the YubiKey"
        value={touch}
        onValue={(value) => {
          setTouch(value);
          work.clear();
        }}
        error={problemAt(problem, touchCodes)}
        hint="Put the cursor here and touch the key once: it types 44 letters."
        input={{
          autocomplete: 'off',
          autocapitalize: 'off',
          spellcheck: false,
          required: true,
          class: 'mono',
        }}
      />
      <Message kind="info">
        Most YubiKeys can also be added as a security key, which is the better choice if the realm accepts it.
      </Message>
    </FactorDialog>
  );
}
