import type { PortalApi } from './contract.ts';
import type { Call, Desk } from './desk.ts';
import { PortalError } from './errors.ts';
import { limits } from './limits.ts';
import { approvalRoutes } from './routes-approvals.ts';
import { signInRoutes } from './routes-sign-in.ts';
import { userRoutes } from './routes-users.ts';

export type RouteName = keyof PortalApi;

/** One for each route of the contract, which gives what the contract says. */
export type Handlers = {
  readonly [Name in RouteName]: (desk: Desk, call: Call) => Promise<PortalApi[Name]['gives']>;
};

export const handlers: Handlers = { ...signInRoutes, ...userRoutes, ...approvalRoutes };

interface Pattern {
  readonly name: RouteName;
  readonly method: string;
  readonly segments: readonly string[];
}

const patterns = (Object.keys(handlers) as RouteName[]).map((name): Pattern => {
  const [method = '', path = ''] = name.split(' ');
  return { name, method, segments: path.split('/') };
});

export interface Found {
  readonly name: RouteName;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

/**
 * The route of a request line. The path is split before it is decoded and is never resolved, so that `..` and
 * `%2F` are letters of a name like others.
 * @throws PortalError no-such-operation (404, 405), bad-request
 */
export function route(method: string, path: string, query: string): Found {
  const segments = path.split('/').map(decode);
  const fitting = patterns.flatMap((pattern) => {
    const parameters = match(pattern.segments, segments);
    return parameters === undefined ? [] : [{ pattern, parameters }];
  });
  const found = fitting.find(({ pattern }) => pattern.method === method);
  if (found !== undefined)
    return { name: found.pattern.name, parameters: found.parameters, query: parseQuery(query) };
  if (fitting.length === 0) throw new PortalError('no-such-operation', 'the portal knows no such operation');
  const allow = fitting.map(({ pattern }) => pattern.method).join(', ');
  throw new PortalError('no-such-operation', `this takes ${allow}`, { status: 405, headers: { allow } });
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (part.startsWith(':')) {
      if (!fits(part, segment)) return undefined;
      parameters[part.slice(1)] = segment;
    } else if (part !== segment) return undefined;
  }
  return parameters;
}

/** Names of accounts are what NSS takes; ids are ours. */
function fits(part: string, segment: string): boolean {
  if (part !== ':user') return segment.length <= limits.idLength && /^[A-Za-z0-9_-]+$/.test(segment);
  return segment !== '' && Buffer.byteLength(segment) <= limits.userLength;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new PortalError('bad-request', 'the path of the request is not percent-encoded UTF-8');
  }
}

function parseQuery(text: string): Readonly<Record<string, string>> {
  const query: Record<string, string> = Object.create(null);
  for (const [key, value] of new URLSearchParams(text)) {
    if (key in query) throw new PortalError('bad-request', 'the query says one thing twice');
    query[key] = value;
  }
  return query;
}
