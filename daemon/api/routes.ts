import { SallyportError } from '../lib/errors.ts';
import { matchPath, queryOf, segmentsOf, type TextByName } from '../lib/path.ts';
import { type OperationName, operation, operationNames } from './operations.ts';

export interface Route {
  readonly name: OperationName;
  readonly parameters: TextByName;
  readonly query: TextByName;
}

/**
 * Finds the operation that a request line names.
 * @throws SallyportError bad-request, no-such-operation
 */
export function route(method: string, target: string): Route {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const segments = readable(segmentsOf(path), 'the path of the request is not percent-encoded UTF-8');
  for (const name of operationNames) {
    const { method: expected, path: pattern, within } = operation(name);
    if (within !== undefined || expected !== method) continue;
    const parameters = matchPath(pattern.split('/'), segments);
    if (parameters === undefined) continue;
    const query = mark < 0 ? {} : readable(queryOf(target.slice(mark + 1)), 'the query says one thing twice');
    return { name, parameters, query };
  }
  throw new SallyportError(
    'no-such-operation',
    'the daemon knows no such operation; the sallyport command and sallyportd may be of different versions',
  );
}

/** The path of an operation, its parameters put in. */
export function pathOf(name: OperationName, parameters: TextByName): string {
  const fill = (part: string) =>
    part.startsWith(':') ? encodeURIComponent(parameters[part.slice(1)] ?? '') : part;
  return operation(name).path.split('/').map(fill).join('/');
}

/** @throws SallyportError bad-request */
function readable<T>(read: T | undefined, problem: string): T {
  if (read === undefined) throw new SallyportError('bad-request', problem);
  return read;
}
