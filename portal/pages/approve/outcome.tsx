import type { ApprovalOutcome } from '../../../daemon/api/sign-in-views.ts';
import { Message, type MessageProps } from '../components/message.tsx';

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
  over: 'Expired',
};

export function Outcome({ outcome }: { readonly outcome: ApprovalOutcome }) {
  const title = `${titles[outcome.outcome]}.`;
  // The daemon's text is also shown without a title, and may begin with the same word.
  const text = outcome.text.startsWith(title) ? outcome.text.slice(title.length).trim() : outcome.text;
  return (
    <div role="status">
      <Message kind={kinds[outcome.outcome]}>
        <strong>{title}</strong> {text}
      </Message>
    </div>
  );
}
