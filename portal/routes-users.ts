import { checkEnrol } from '../daemon/api/schema.ts';
import { changeAs, readAs } from './authorised-calls.ts';
import type { ApiRequest, Handlers, ServerContext } from './context.ts';
import { PortalError } from './http/errors.ts';
import { readAttestation, readInvite, readKey, readNothing, readRename } from './http/request-schemas.ts';
import { limits } from './limits.ts';

/** Accounts, their factors, and the audit trail. sallyportd decides by the token which accounts are permitted. */
export const userRoutes = {
  'GET /api/users/:user': (context, call) => readAs(context, call, (person) => person.user(userOf(call))),

  'POST /api/users/:user/factors': async (context, call) => {
    // The portal never adds an unverified factor, even if the daemon would allow its uid to.
    const body = { ...checkEnrol(await call.body()), verify: true };
    return changeAs(context, call, (person) => person.addFactor(userOf(call), body));
  },

  'POST /api/users/:user/factors/:factor/rename': async (context, call) => {
    const { name } = readRename(await call.body());
    return changeAs(context, call, (person) => person.renameFactor(userOf(call), factorOf(call), name));
  },

  'POST /api/users/:user/factors/:factor/enable': (context, call) =>
    plainChange(context, call, (person) => person.enableFactor(userOf(call), factorOf(call))),

  'POST /api/users/:user/factors/:factor/disable': (context, call) =>
    plainChange(context, call, (person) =>
      person.disableFactor(userOf(call), factorOf(call), isConfirmed(call)),
    ),

  'DELETE /api/users/:user/factors/:factor': (context, call) =>
    plainChange(context, call, (person) =>
      person.removeFactor(userOf(call), factorOf(call), isConfirmed(call)),
    ),

  'POST /api/users/:user/keys': async (context, call) => {
    const body = { ...readKey(await call.body()), origin: call.at.text };
    return changeAs(context, call, (person) => person.beginKey(userOf(call), body));
  },

  'POST /api/users/:user/keys/:id': async (context, call) => {
    const body = readAttestation(await call.body());
    return changeAs(context, call, (person) =>
      person.finishKey(userOf(call), call.parameters.id ?? '', body),
    );
  },

  'GET /api/users': (context, call) =>
    readAs(context, call, (person) => {
      const { after, search } = call.query;
      return person.users(after, limitIn(call), search, true);
    }),

  'POST /api/users/:user/unlock': (context, call) =>
    plainChange(context, call, (person) => person.unlock(userOf(call))),

  'POST /api/users/:user/bypass': (context, call) =>
    plainChange(context, call, (person) => person.giveBypass(userOf(call), {})),

  'POST /api/users/:user/invite': async (context, call) => {
    const { withoutPassword } = readInvite(await call.body());
    return changeAs(context, call, (person) => person.invite(userOf(call), withoutPassword));
  },

  'GET /api/audit': (context, call) =>
    readAs(context, call, (person) => {
      const { user, from } = call.query;
      return person.audit({
        ...(user === undefined ? {} : { user }),
        ...(from === undefined ? {} : { from: numberIn(from, Number.MAX_SAFE_INTEGER) }),
        limit: limitIn(call),
      });
    }),
} satisfies Partial<Handlers>;

/** A change without a body. */
async function plainChange<T>(
  context: ServerContext,
  call: ApiRequest,
  ask: Parameters<typeof changeAs<T>>[2],
): Promise<T> {
  readNothing(await call.body());
  return changeAs(context, call, ask);
}

const isConfirmed = (call: ApiRequest): boolean => call.query.confirmed === 'true';
const userOf = (call: ApiRequest): string => call.parameters.user ?? '';
const factorOf = (call: ApiRequest): string => call.parameters.factor ?? '';

function limitIn(call: ApiRequest): number {
  const { limit } = call.query;
  return limit === undefined ? limits.pageDefault : numberIn(limit, limits.pageMost);
}

function numberIn(text: string, most: number): number {
  const number = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (number <= most) return number;
  throw new PortalError('bad-request', `a number in the query is not a number, or is over ${most}`);
}
