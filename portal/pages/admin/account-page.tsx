import { useState } from 'preact/hooks';
import type { UserView } from '../../../daemon/api/views.ts';
import { call } from '../api.ts';
import { Dialog } from '../components/dialog.tsx';
import { Message } from '../components/message.tsx';
import { useConfirmation } from '../confirmation.tsx';
import { Factors } from '../factors/factors.tsx';
import { requirementText } from '../factors/requirements.ts';
import { lastLoginText, lockText, timeText } from '../labels.ts';
import { follow, go } from '../router.ts';
import { usePortal } from '../session.ts';
import { useWork } from '../use-task.ts';
import { useUser } from '../use-user.ts';
import { BypassDialog } from './bypass-dialog.tsx';

export function AccountPage({ account }: { readonly account: string }) {
  const { session } = usePortal();
  const { user, problem, reload } = useUser(account);
  const [open, setOpen] = useState<'unlocking' | 'issuing'>();
  const mine = session.person?.account === account;
  const close = () => setOpen(undefined);

  return (
    <>
      <h1>{account}</h1>
      {problem !== undefined && <Message kind="error">{problem}</Message>}
      {user !== undefined && (
        <>
          <AccountFacts user={user} />
          <AccountActions
            account={account}
            user={user}
            mine={mine}
            onUnlock={() => setOpen('unlocking')}
            onBypass={() => setOpen('issuing')}
          />
          {user.uid === 0 && (
            <Message kind="info">Only root can change the factors of root, at the machine.</Message>
          )}
          <h2>Second factors</h2>
          <Factors user={user} mine={mine} reload={reload} />
        </>
      )}
      {open === 'issuing' && <BypassDialog account={account} onClose={close} reload={reload} />}
      {open === 'unlocking' && <UnlockDialog account={account} onClose={close} reload={reload} />}
    </>
  );
}

function AccountFacts({ user }: { readonly user: UserView }) {
  return (
    <dl class="facts">
      <dt>Uid</dt>
      <dd>{user.uid ?? 'the account was deleted, its record remains'}</dd>
      <dt>Realm</dt>
      <dd>
        {user.realm === undefined
          ? (user.realmProblem ?? 'none')
          : `${user.realm.name}, requires ${requirementText(user.realm.require)}`}
      </dd>
      {user.recordUid !== undefined && (
        <>
          <dt>Account uid</dt>
          <dd>
            The uid has changed: the factors were added for uid {user.recordUid}. Logins are refused until
            root runs sallyport user forget or user move.
          </dd>
        </>
      )}
      <dt>Last login</dt>
      <dd>{user.lastLogin === undefined ? 'never' : lastLoginText(user.lastLogin)}</dd>
      <dt>Wrong answers</dt>
      <dd>
        {user.lock.codes} of typed codes, {user.lock.any} in all
      </dd>
      {user.exemption !== undefined && (
        <>
          <dt>Exempt</dt>
          <dd>
            until {timeText(user.exemption.until)}
            {user.exemption.services !== undefined && `, for ${user.exemption.services.join(', ')}`}, by{' '}
            {user.exemption.by}
            {user.exemption.reason !== undefined && `: ${user.exemption.reason}`}
          </dd>
        </>
      )}
      {user.remembered > 0 && (
        <>
          <dt>Remembered logins</dt>
          <dd>{user.remembered}</dd>
        </>
      )}
    </dl>
  );
}

interface AccountActionsProps {
  readonly account: string;
  readonly user: UserView;
  /** It is the account of the user of this page. */
  readonly mine: boolean;
  readonly onUnlock: () => void;
  readonly onBypass: () => void;
}

function AccountActions({ account, user, mine, onUnlock, onBypass }: AccountActionsProps) {
  const query = `user=${encodeURIComponent(account)}`;
  return (
    <div class="button-row">
      {lockText(user, Date.now()) !== undefined && (
        <button type="button" class="button" onClick={onUnlock}>
          Unlock
        </button>
      )}
      <button type="button" class="button" disabled={user.uid === 0 || mine} onClick={onBypass}>
        Bypass code
      </button>
      <button
        type="button"
        class="button"
        disabled={user.uid === 0}
        onClick={() => go(`/admin/invite?${query}`)}
      >
        Invite
      </button>
      <a class="button" href={`/admin/audit?${query}`} onClick={follow}>
        Audit trail
      </a>
    </div>
  );
}

interface UnlockDialogProps {
  readonly account: string;
  readonly onClose: () => void;
  readonly reload: () => Promise<void>;
}

function UnlockDialog({ account, onClose, reload }: UnlockDialogProps) {
  const { say } = usePortal();
  const work = useWork();
  const submit = () =>
    work.run(async () => {
      const change = await confirmation.run(() =>
        call('POST /api/users/:user/unlock', { path: { user: account } }),
      );
      if (change === undefined) return;
      const text = change.changed ? `${account} was unlocked.` : `${account} was not locked.`;
      say({
        kind: change.warning === undefined ? 'done' : 'warning',
        text: `${text} ${change.warning ?? ''}`.trim(),
      });
      onClose();
      await reload();
    });
  const confirmation = useConfirmation({ onVerified: submit });
  return (
    <Dialog
      title={`Unlock ${account}`}
      onClose={onClose}
      onSubmit={() => (confirmation.filled ? submit() : undefined)}
      actions={
        <>
          <button type="submit" class="button button-main" disabled={!confirmation.filled || work.busy}>
            Unlock
          </button>
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
        </>
      }
    >
      <Message kind="warning">
        A person who typed the wrong answers may know the password. Ask the user, and have the password
        changed if it was someone else.
      </Message>
      {confirmation.fields}
      {work.problem !== undefined && <Message kind="error">{work.problem.text}</Message>}
    </Dialog>
  );
}
