import type { ApiRequest, Handlers, ServerContext } from './context.ts';
import { told } from './http/errors.ts';
import { readApproval, readApprovalId } from './http/request-schemas.ts';

/**
 * Logins that wait to be approved. Without signing in: the link is the secret, and the key decides.
 *
 * What MUST hold: whoever tries ids, numbers or assertions runs out of tries; a right one costs nothing.
 */
export const approvalRoutes = {
  'POST /api/approvals/show': async (context, call) => {
    const { id } = readApprovalId(await call.body());
    return counted(context, call, () => context.daemon.nobody.approval(id, call.source));
  },

  'POST /api/approvals/answer': async (context, call) => {
    const { id, ...body } = readApproval(await call.body());
    const source = call.source === undefined ? {} : { source: call.source };
    return counted(
      context,
      call,
      () => context.daemon.nobody.answerApproval(id, { ...body, ...source }),
      ({ outcome }) => outcome === 'approved',
    );
  },

  'POST /api/approvals/deny': async (context, call) => {
    const { id } = readApprovalId(await call.body());
    return counted(context, call, () => context.daemon.nobody.denyApproval(id));
  },
} satisfies Partial<Handlers>;

async function counted<T>(
  context: ServerContext,
  call: ApiRequest,
  ask: () => Promise<T>,
  isRight: (answer: T) => boolean = () => true,
): Promise<T> {
  context.tries.guesses.take(call.source);
  const answer = await ask().catch((error: unknown) => {
    if (told(error).status >= 500) context.tries.guesses.giveBack(call.source);
    throw error;
  });
  if (isRight(answer)) context.tries.guesses.giveBack(call.source);
  return answer;
}
