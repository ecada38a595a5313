import { useState } from 'preact/hooks';
import type { ChangeView, FactorSummary, UserView } from '../../../daemon/api/views.ts';
import type { Confirmed } from '../../contract.ts';
import { ApiError, call } from '../api.ts';
import { Message } from '../components/message.tsx';
import { useConfirmation } from '../confirmation.tsx';
import { useWork } from '../use-task.ts';
import { FactorDialog, NameField, nameCodes } from './factor-dialog.tsx';
import { kindName, offeredKind } from './kinds.ts';

export type ChangeKind = 'rename' | 'enable' | 'disable' | 'remove';

export interface ChangeDialogProps {
  readonly kind: ChangeKind;
  readonly user: UserView;
  readonly factor: FactorSummary;
  readonly onClose: () => void;
  readonly onChanged: (change: ChangeView, kind: ChangeKind) => void;
}

const titles: Readonly<Record<ChangeKind, string>> = {
  rename: 'Rename',
  enable: 'Enable',
  disable: 'Disable',
  remove: 'Remove',
};

export function ChangeDialog({ kind, user, factor, onClose, onChanged }: ChangeDialogProps) {
  const [name, setName] = useState(factor.name);
  const [cost, setCost] = useState<string>();
  const work = useWork();
  const path = { user: user.account, factor: factor.id };
  const query: Confirmed = { confirmed: cost === undefined ? undefined : 'true' };
  const change = (): Promise<ChangeView> => {
    switch (kind) {
      case 'rename':
        return call('POST /api/users/:user/factors/:factor/rename', { path, body: { name: name.trim() } });
      case 'enable':
        return call('POST /api/users/:user/factors/:factor/enable', { path });
      case 'disable':
        return call('POST /api/users/:user/factors/:factor/disable', { path, query });
      case 'remove':
        return call('DELETE /api/users/:user/factors/:factor', { path, query });
    }
  };
  const submit = () =>
    work.run(async () => {
      try {
        const changed = await confirmation.run(change);
        if (changed !== undefined) onChanged(changed, kind);
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== 'yes-needed') throw error;
        setCost(error.message);
      }
    });
  const confirmation = useConfirmation({ onVerified: submit });
  const named = kind !== 'rename' || (name.trim() !== '' && name.trim() !== factor.name);
  const filled = named && confirmation.filled;
  const before = cost ?? warningBefore(kind, user, factor);

  return (
    <FactorDialog
      title={`${titles[kind]} ${kindName(factor.kind)}`}
      action={cost === undefined ? titles[kind] : `${titles[kind]} anyway`}
      isDangerous={kind === 'remove'}
      first={kind === 'remove' ? 'leave' : undefined}
      filled={filled}
      work={work}
      codesOfFields={nameCodes}
      onSubmit={submit}
      onClose={onClose}
    >
      {kind === 'rename' ? (
        <NameField name={name} onName={setName} work={work} />
      ) : (
        <p>
          {sentences[kind]} <b>{factor.name}</b>
          {kind === 'remove' ? '. This cannot be undone.' : '.'}
        </p>
      )}
      {before !== undefined && <Message kind="warning">{before}</Message>}
      {confirmation.fields}
    </FactorDialog>
  );
}

const sentences: Readonly<Record<Exclude<ChangeKind, 'rename'>, string>> = {
  enable: 'Logins accept this second factor again:',
  disable: 'Logins do not accept this second factor until it is enabled again:',
  remove: 'This deletes the second factor:',
};

/** What is known before the server decides. */
function warningBefore(kind: ChangeKind, user: UserView, factor: FactorSummary): string | undefined {
  if (kind !== 'remove' && kind !== 'disable') return undefined;
  if (!factor.enabled) return undefined;
  const others = user.factors.filter((other) => other.id !== factor.id && other.enabled);
  if (others.length === 0)
    return 'This is the last enabled second factor. Without one, logins need only the password where the realm allows that, and are refused where it does not.';
  if (others.every((other) => other.kind === offeredKind))
    return 'Only recovery keys are left then, and each is valid for one login.';
  return undefined;
}
