import type { PortalApi } from '../contract.ts';
import { sessionEnded } from './session.ts';

type Route = keyof PortalApi;
type Takes<R extends Route> = PortalApi[R] extends { readonly takes: infer Body } ? Body : undefined;
type Query<R extends Route> = PortalApi[R] extends { readonly query: infer Wanted } ? Wanted : undefined;
type Gives<R extends Route> = PortalApi[R]['gives'];

type PathNames<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | PathNames<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

export type CallOptions<R extends Route> = ([PathNames<R>] extends [never]
  ? unknown
  : { readonly path: Readonly<Record<PathNames<R>, string>> }) &
  (Takes<R> extends undefined ? unknown : { readonly body: Takes<R> }) &
  (Query<R> extends undefined ? unknown : { readonly query: Query<R> });

/** An error of the server or of the connection. Its message is for users. */
export class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
  }
}

/** One request to the portal's server. @throws ApiError */
export async function call<R extends Route>(route: R, options: CallOptions<R>): Promise<Gives<R>> {
  const given: {
    readonly path?: Readonly<Record<string, string>>;
    readonly body?: unknown;
    readonly query?: Readonly<Record<string, string | undefined>>;
  } = options as object;
  const space = route.indexOf(' ');
  const address = addressOf(route.slice(space + 1), given.path ?? {}, given.query ?? {});
  const answer = await reach(address, {
    method: route.slice(0, space),
    credentials: 'same-origin',
    cache: 'no-store',
    ...(given.body === undefined
      ? {}
      : { body: JSON.stringify(given.body), headers: { 'content-type': 'application/json' } }),
  });
  const body = await bodyOf(answer);
  if (answer.ok) return body as Gives<R>;
  const error = errorOf(body, answer.status);
  if (error.code === 'signed-out') sessionEnded();
  throw error;
}

function addressOf(
  pattern: string,
  path: Readonly<Record<string, string>>,
  query: Readonly<Record<string, string | undefined>>,
): string {
  const filled = pattern.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(path[name] ?? ''));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, value);
  const text = search.toString();
  return text === '' ? filled : `${filled}?${text}`;
}

async function reach(address: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(address, request);
  } catch {
    throw new ApiError('unreachable', 'The server is unreachable. Nothing was changed. Try again.');
  }
}

async function bodyOf(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch {
    return undefined;
  }
}

function errorOf(body: unknown, status: number): ApiError {
  const error = body instanceof Object && 'error' in body ? body.error : undefined;
  if (error instanceof Object && 'code' in error && 'message' in error)
    return new ApiError(String(error.code), sentence(String(error.message)));
  return new ApiError('internal', `The server sent an unreadable response (status ${status}).`);
}

/** Messages of the daemon begin in lower case, as a terminal shows them after a prefix. */
function sentence(text: string): string {
  const first = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** Any error as a line for users. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return `Something went wrong in this page: ${error instanceof Error ? error.message : String(error)}`;
}
