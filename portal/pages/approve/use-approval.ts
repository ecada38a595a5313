import { useState } from 'preact/hooks';
import type { ApprovalOutcome, ApprovalView } from '../../../daemon/api/sign-in-views.ts';
import { call } from '../api.ts';
import { askKey } from '../security-key.ts';
import { useWork, type Work } from '../use-task.ts';

export interface Approving {
  readonly outcome: ApprovalOutcome | undefined;
  readonly work: Work;
  readonly approve: (number?: string) => Promise<void>;
  readonly deny: () => Promise<void>;
}

export function useApproval(approval: ApprovalView): Approving {
  const [outcome, setOutcome] = useState<ApprovalOutcome>();
  const work = useWork();
  const { id } = approval;
  const approve = (number?: string) =>
    work.run(async () => {
      const assertion = await askKey(approval.key);
      const body = { id, ...assertion, ...(number === undefined ? {} : { number }) };
      setOutcome(await call('POST /api/approvals/answer', { body }));
    });
  const deny = () =>
    work.run(async () => {
      setOutcome(await call('POST /api/approvals/deny', { body: { id } }));
    });
  return { outcome, work, approve, deny };
}
