import type { Access } from './permissions.ts';

/** One row of the table of what can be asked for (operations.ts). */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `:user`, `:realm` and `:factor` stand for one segment each. */
  readonly path: string;
  /** Whose account it is about: none, the one in the path, or the one in the query (absent: all). */
  readonly about: 'none' | 'path' | 'query';
  readonly what: string;
  readonly access: Access;
  /** A stricter case of the named operation: the same request, judged a second time. */
  readonly within?: string;
}
