import type { ServerResponse } from 'node:http';
import { closingOf } from '../daemon/lib/open-stream.ts';
import type { ApiRequest, RouteName, ServerContext, Visit } from './context.ts';
import { readJson } from './http/body.ts';
import { clearCookie, readCookie, setCookie } from './http/cookie.ts';
import { messageOf, PortalError, toPortalError } from './http/errors.ts';
import { isBodiless, sendError, sendJson } from './http/response.ts';
import { limits } from './limits.ts';
import { handlers, route } from './routes.ts';
import type { Session } from './sessions.ts';

/**
 * Serves /api.
 *
 * Invariants, in this order: a change comes from one of our pages and as JSON, which forms and pages of other origins
 * cannot send without a preflight request; only then is the cookie read, and only then the body.
 * @param isRoute called with the route before the response is sent
 * @param bodyWait milliseconds from the head to the end of a body
 */
export async function serveApi(
  context: ServerContext,
  visit: Visit,
  response: ServerResponse,
  path: string,
  query: string,
  isRoute: (name: RouteName) => void,
  bodyWait: number,
): Promise<void> {
  const { request } = visit;
  let name: RouteName | undefined;
  try {
    const found = route(request.method ?? '', path, query);
    name = found.name;
    isRoute(name);
    if (request.method !== 'GET') demandOwnPage(context, visit);
    const call: ApiRequest = {
      at: visit.at,
      source: visit.source,
      session: sessionOf(context, visit),
      parameters: found.parameters,
      query: found.query,
      body: () => readJson(request, limits.requestBody, bodyWait),
      ended: () => closingOf(response),
      keep: (id) => response.setHeader('set-cookie', cookieOf(visit, id)),
    };
    sendJson(request, response, 200, await handlers[name](context, call));
  } catch (error) {
    if (response.headersSent) throw error;
    const answer = toPortalError(error);
    // A request that the browser ended is no failure.
    if (answer.status >= 500 && !response.destroyed)
      context.log.error('request-failed', {
        route: name ?? 'none',
        code: answer.code,
        message: messageOf(error),
      });
    if (answer.code === 'signed-out' && hasCookie(visit))
      response.setHeader('set-cookie', cookieOf(visit, undefined));
    sendError(request, response, answer);
  }
}

export function sessionOf(context: ServerContext, visit: Visit): Session | undefined {
  return context.sessions.find(readCookie(visit.request.headers.cookie, visit.at.secure));
}

function hasCookie({ request, at }: Visit): boolean {
  return readCookie(request.headers.cookie, at.secure) !== undefined;
}

function cookieOf({ at }: Visit, id: string | undefined): string {
  return id === undefined ? clearCookie(at.secure) : setCookie(at.secure, id);
}

/** A request without a body and a type comes from no form either: forms always send a type. */
function demandOwnPage(context: ServerContext, { request, at }: Visit): void {
  context.site.demand(request.headers.origin, at);
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type === 'application/json' || (type === undefined && isBodiless(request))) return;
  throw new PortalError('bad-request', 'changes must be sent as JSON (Content-Type: application/json)', {
    status: 415,
  });
}
