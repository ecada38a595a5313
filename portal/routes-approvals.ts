import type { ApiRequest, Handlers, ServerContext } from './context.ts';
import { toPortalError } from './http/errors.ts';
import { readApproval, readApprovalId } from './http/request-schemas.ts';

/**
 * Logins that wait for approval. Without signing in: the link is the secret, and the key decides.
 *
 * Invariants: guesses of IDs, numbers and assertions are rate limited; a correct one does not count.
 */
export const approvalRoutes = {
  'POST /api/approvals/show': async (context, call) => {
    const { id } = readApprovalId(await call.body());
    return counted(context, call, () => context.daemon.anonymous.approval(id, call.source));
  },

  'POST /api/approvals/answer': async (context, call) => {
    const { id, ...body } = readApproval(await call.body());
    const source = call.source === undefined ? {} : { source: call.source };
    return counted(
      context,
      call,
      () => context.daemon.anonymous.answerApproval(id, { ...body, ...source }),
      ({ outcome }) => outcome === 'approved',
    );
  },

  'POST /api/approvals/deny': async (context, call) => {
    const { id } = readApprovalId(await call.body());
    return counted(context, call, () => context.daemon.anonymous.denyApproval(id));
  },
} satisfies Partial<Handlers>;

async function counted<T>(
  context: ServerContext,
  call: ApiRequest,
  ask: () => Promise<T>,
  isRight: (answer: T) => boolean = () => true,
): Promise<T> {
  context.rateLimits.guesses.take(call.source);
  const answer = await ask().catch((error: unknown) => {
    if (toPortalError(error).status >= 500) context.rateLimits.guesses.giveBack(call.source);
    throw error;
  });
  if (isRight(answer)) context.rateLimits.guesses.giveBack(call.source);
  return answer;
}
