import { SallyportError } from '../errors.ts';
import { type OperationName, operation, operationNames } from './operations.ts';

export interface Route {
  readonly name: OperationName;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

/**
 * Finds the operation that a request line names. The path is split before it is decoded and is never
 * resolved, so that `..` and `%2F` are letters of a name like others.
 * @throws SallyportError bad-request, no-such-operation
 */
export function route(method: string, target: string): Route {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const segments = path.split('/').map(decode);
  for (const name of operationNames) {
    const { method: expected, path: pattern, within } = operation(name);
    if (within !== undefined || expected !== method) continue;
    const parameters = match(pattern.split('/'), segments);
    if (parameters) return { name, parameters, query: mark < 0 ? {} : parseQuery(target.slice(mark + 1)) };
  }
  throw new SallyportError(
    'no-such-operation',
    'the daemon knows no such operation; the sallyport command and sallyportd may be of different versions',
  );
}

/** The path of an operation, its parameters put in. */
export function pathOf(name: OperationName, parameters: Readonly<Record<string, string>>): string {
  const fill = (part: string) =>
    part.startsWith(':') ? encodeURIComponent(parameters[part.slice(1)] ?? '') : part;
  return operation(name).path.split('/').map(fill).join('/');
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (part.startsWith(':')) parameters[part.slice(1)] = segment;
    else if (part !== segment) return undefined;
  }
  return parameters;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new SallyportError('bad-request', 'the path of the request is not percent-encoded UTF-8');
  }
}

function parseQuery(text: string): Readonly<Record<string, string>> {
  const query: Record<string, string> = Object.create(null);
  for (const [key, value] of new URLSearchParams(text)) {
    if (key in query) throw new SallyportError('bad-request', 'the query says one thing twice');
    query[key] = value;
  }
  return query;
}
