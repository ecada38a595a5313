import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Build } from './sallyport.ts';
import { type Scope, scopes } from './scope.ts';

export const parts = ['one-client', 'rest', 'crowd', 'keys'] as const;
export type Part = (typeof parts)[number];

export const usage = `usage: npm run bench [-- --quick | --long] [--base DIRECTORY] [--only PART[,PART]] [--json]

  --quick           fewer logins, users and clients, in under a minute
  --long            also a million users, and logins after 300 s of rest
  --base DIRECTORY  compare with the build of another commit in that directory
  --only PART       ${parts.join(', ')}
  --json            one JSON object instead of the tables

Runs as root: it makes a mount namespace with accounts of its own.
`;

export interface Options {
  readonly scope: Scope;
  readonly base?: Build;
  readonly parts: readonly Part[];
  readonly json: boolean;
}

/** @throws Error with what is wrong */
export function readOptions(argv: readonly string[]): Options {
  const flag = { type: 'boolean', default: false } as const;
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: { quick: flag, long: flag, json: flag, base: text, only: text },
  });
  if (values.quick && values.long) throw new Error('--quick and --long contradict each other');
  const wanted = values.only?.split(',') ?? parts;
  const unknown = wanted.find((part) => !parts.some((known) => known === part));
  if (unknown !== undefined) throw new Error(`"${unknown}" is not a part`);
  return {
    scope: values.quick ? scopes.quick : values.long ? scopes.long : scopes.ordinary,
    ...(values.base === undefined ? {} : { base: builtIn(values.base) }),
    parts: parts.filter((part) => wanted.includes(part)),
    json: values.json,
  };
}

function builtIn(directory: string): Build {
  if (!existsSync(join(directory, 'dist/daemon/main.js')))
    throw new Error(`${directory} holds no build: run npm run build there`);
  return { directory: resolve(directory) };
}
