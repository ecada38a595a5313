import type { ApprovalOutcome } from '../../../daemon/control/sign-in-views.ts';
import { Message, type MessageProps } from '../parts/message.tsx';

const kinds: Readonly<Record<ApprovalOutcome['outcome'], MessageProps['kind']>> = {
  approved: 'done',
  denied: 'info',
  refused: 'error',
  over: 'warning',
};
const titles: Readonly<Record<ApprovalOutcome['outcome'], string>> = {
  approved: 'Approved',
  denied: 'Denied',
  refused: 'Refused',
  over: 'Over',
};

export function Outcome({ outcome }: { readonly outcome: ApprovalOutcome }) {
  return (
    <div role="status">
      <Message kind={kinds[outcome.outcome]}>
        <strong>{titles[outcome.outcome]}.</strong> {outcome.text}
      </Message>
    </div>
  );
}
