import { matchPath, queryOf, segmentsOf, type TextByName } from '../daemon/lib/path.ts';
import type { Handlers, RouteName } from './context.ts';
import { PortalError } from './http/errors.ts';
import { limits } from './limits.ts';
import { approvalRoutes } from './routes-approvals.ts';
import { signInRoutes } from './routes-sign-in.ts';
import { userRoutes } from './routes-users.ts';

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
  readonly parameters: TextByName;
  readonly query: TextByName;
}

/** The route of a request line. @throws PortalError no-such-operation (404, 405), bad-request */
export function route(method: string, path: string, query: string): Found {
  const segments = readable(segmentsOf(path), 'the path of the request is not percent-encoded UTF-8');
  const fitting = patterns.flatMap((pattern) => {
    const parameters = matchPath(pattern.segments, segments, fits);
    return parameters === undefined ? [] : [{ pattern, parameters }];
  });
  const found = fitting.find(({ pattern }) => pattern.method === method);
  if (found !== undefined)
    return {
      name: found.pattern.name,
      parameters: found.parameters,
      query: readable(queryOf(query), 'the query repeats a parameter'),
    };
  if (fitting.length === 0) throw new PortalError('no-such-operation', 'the portal has no such operation');
  const allow = fitting.map(({ pattern }) => pattern.method).join(', ');
  throw new PortalError('no-such-operation', `this operation takes ${allow}`, {
    status: 405,
    headers: { allow },
  });
}

/** Account names are what NSS accepts; IDs are ours. */
function fits(part: string, segment: string): boolean {
  if (part !== ':user') return segment.length <= limits.idLength && /^[A-Za-z0-9_-]+$/.test(segment);
  return segment !== '' && Buffer.byteLength(segment) <= limits.userLength;
}

/** @throws PortalError bad-request */
function readable<T>(read: T | undefined, problem: string): T {
  if (read === undefined) throw new PortalError('bad-request', problem);
  return read;
}
