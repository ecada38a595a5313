import { useState } from 'preact/hooks';
import type { ApprovalView } from '../../../daemon/api/sign-in-views.ts';
import { call } from '../api.ts';
import { Dialog } from '../components/dialog.tsx';
import { Field } from '../components/field.tsx';
import { Message } from '../components/message.tsx';
import type { Live } from '../live.ts';
import { ApprovalFacts, useSecondsLeft } from './approval-facts.tsx';
import { Outcome } from './outcome.tsx';
import { useApproval } from './use-approval.ts';

/** The user's logins that wait for approval, on every page. */
export function ApprovalBanner({ live }: { readonly live: Live }) {
  const [looking, setLooking] = useState<ApprovalView>();
  // The live event was not compared with this browser's address; the response of this call is, and warns.
  const look = ({ id }: ApprovalView) =>
    call('POST /api/approvals/show', { body: { id } }).then(setLooking, () => live.forget(id));
  return (
    <div role="status" aria-live="polite">
      {live.approvals.map((approval) => (
        <div key={approval.id} class="banner">
          <p>
            <b>Login awaiting approval:</b> {approval.service} on {approval.host}
            {approval.source === undefined ? '' : `, from ${approval.source}`}
          </p>
          <button type="button" class="button" onClick={() => void look(approval)}>
            Review
          </button>
        </div>
      ))}
      {looking !== undefined && (
        <ApprovalDialog
          key={looking.id}
          approval={looking}
          onClose={(over) => {
            if (over) live.forget(looking.id);
            setLooking(undefined);
          }}
        />
      )}
    </div>
  );
}

interface ApprovalDialogProps {
  readonly approval: ApprovalView;
  readonly onClose: (over: boolean) => void;
}

/** The number is not shown here: it has to be read at the prompt, and one wrong answer ends the request. */
function ApprovalDialog({ approval, onClose }: ApprovalDialogProps) {
  const [number, setNumber] = useState('');
  const { outcome, work, approve, deny } = useApproval(approval);
  const seconds = useSecondsLeft(approval.expires);
  const over = outcome !== undefined || seconds === 0;
  const close = () => onClose(over);
  if (over)
    return (
      <Dialog
        title="Approve a login"
        onClose={close}
        onSubmit={close}
        actions={
          <button type="submit" class="button button-main">
            Close
          </button>
        }
      >
        {outcome === undefined ? (
          <Message kind="warning">This request has expired. Log in again for a new one.</Message>
        ) : (
          <Outcome outcome={outcome} />
        )}
      </Dialog>
    );
  const whole = /^\d{2}$/.test(number.trim());
  return (
    <Dialog
      title="Approve a login"
      onClose={close}
      onSubmit={() => (whole ? approve(number.trim()) : undefined)}
      actions={
        <>
          <button type="submit" class="button button-main" disabled={!whole || work.busy}>
            Approve with security key
          </button>
          <button type="button" class="button button-danger" disabled={work.busy} onClick={() => void deny()}>
            Deny
          </button>
          <button type="button" class="button" onClick={close}>
            Later
          </button>
        </>
      }
    >
      <ApprovalFacts approval={approval} />
      <Field
        label="Number at the prompt"
        value={number}
        onValue={setNumber}
        hint="The two digits shown where you log in. A wrong number ends the request."
        input={{ inputMode: 'numeric', autocomplete: 'off', maxLength: 2, class: 'mono' }}
      />
      {work.problem !== undefined && <Message kind="error">{work.problem.text}</Message>}
      <p class="hint">{seconds} seconds left</p>
    </Dialog>
  );
}
