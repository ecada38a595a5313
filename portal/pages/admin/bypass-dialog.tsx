import { useState } from 'preact/hooks';
import type { BypassView } from '../../../daemon/api/account-views.ts';
import { call } from '../api.ts';
import { Dialog } from '../components/dialog.tsx';
import { Message } from '../components/message.tsx';
import { useConfirmation } from '../confirmation.tsx';
import { FactorDialog } from '../factors/factor-dialog.tsx';
import { timeText } from '../labels.ts';
import { useWork } from '../use-task.ts';

export interface BypassDialogProps {
  readonly account: string;
  readonly onClose: () => void;
  readonly reload: () => Promise<void>;
}

/** Creates a code for one login, and shows it once. */
export function BypassDialog({ account, onClose, reload }: BypassDialogProps) {
  const [given, setGiven] = useState<BypassView>();
  const work = useWork();
  const submit = () =>
    work.run(async () => {
      const view = await confirmation.run(() =>
        call('POST /api/users/:user/bypass', { path: { user: account } }),
      );
      if (view === undefined) return;
      setGiven(view);
      await reload();
    });
  const confirmation = useConfirmation({ onVerified: submit });

  if (given !== undefined)
    return (
      <Dialog
        title={`Bypass code of ${account}`}
        onClose={onClose}
        onSubmit={onClose}
        actions={
          <button type="submit" class="button button-main">
            Done
          </button>
        }
      >
        <p>Read it out. It is shown only once.</p>
        <p>
          <code>{given.bypassCode}</code>
        </p>
        <p>Good for one login, until {timeText(given.factor.until ?? 0)}.</p>
        {given.warning !== undefined && <Message kind="warning">{given.warning}</Message>}
      </Dialog>
    );
  return (
    <FactorDialog
      title={`Issue a bypass code to ${account}`}
      action="Create code"
      first={confirmation.fields === null ? 'action' : undefined}
      filled={confirmation.filled}
      work={work}
      codesOfFields={[]}
      onSubmit={submit}
      onClose={onClose}
    >
      <p>
        The code is valid for one login within the next hour, in place of any other second factor. It replaces
        any earlier code.
      </p>
      <Message kind="warning">
        Anyone with the password and this code can log in. Be sure who is on the phone: call back on a number
        that you know.
      </Message>
      {confirmation.fields}
    </FactorDialog>
  );
}
