import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import type { ApprovalView } from '../../../daemon/api/sign-in-views.ts';
import { call, messageOf } from '../api.ts';
import { Message } from '../components/message.tsx';
import { onAnotherLink, takeSecret } from '../link.ts';
import { ApprovalFacts, useSecondsLeft } from './approval-facts.tsx';
import { Outcome } from './outcome.tsx';
import { useApproval } from './use-approval.ts';

/** For the user with the link shown at the prompt, without a portal session. */
export function ApprovePage() {
  /** A new object each time: the same link may be opened again. */
  const [link, setLink] = useState<{ readonly id: string }>();
  const [approval, setApproval] = useState<ApprovalView>();
  const [problem, setProblem] = useState<string>();
  useLayoutEffect(() => {
    const taken = takeSecret();
    if (taken === undefined) setProblem('Open the link shown at the prompt. It is needed each time.');
    else setLink({ id: taken });
  }, []);
  useEffect(() => onAnotherLink((id) => setLink({ id })), []);
  useEffect(() => {
    if (link === undefined) return;
    setApproval(undefined);
    setProblem(undefined);
    call('POST /api/approvals/show', { body: link }).then(setApproval, (error: unknown) =>
      setProblem(messageOf(error)),
    );
  }, [link]);
  return (
    <div class="approve">
      <h1>Approve a login</h1>
      {problem !== undefined && <Message kind="error">{problem}</Message>}
      {approval === undefined && problem === undefined && <p class="empty">Loading …</p>}
      {approval !== undefined && <Request key={approval.id} approval={approval} />}
    </div>
  );
}

function Request({ approval }: { readonly approval: ApprovalView }) {
  const { outcome, work, approve, deny } = useApproval(approval);
  const seconds = useSecondsLeft(approval.expires);
  if (outcome !== undefined) return <Outcome outcome={outcome} />;
  if (seconds === 0)
    return (
      <Message kind="warning">
        <strong>Expired.</strong> This request has expired. Log in again for a new one.
      </Message>
    );
  return (
    <>
      <ApprovalFacts approval={approval} />
      {approval.number !== undefined && (
        <div class="number-box">
          <p>The prompt where you log in must show the same number:</p>
          <p class="number">{approval.number}</p>
          <p>If it shows another number, or there is no such prompt, choose Deny.</p>
        </div>
      )}
      {work.problem !== undefined && <Message kind="error">{work.problem.text}</Message>}
      <div class="button-row button-row-large">
        <button type="button" class="button button-main" disabled={work.busy} onClick={() => void approve()}>
          Approve with security key
        </button>
        <button type="button" class="button button-danger" disabled={work.busy} onClick={() => void deny()}>
          Deny
        </button>
      </div>
      <p class="hint">{seconds} seconds left</p>
    </>
  );
}
