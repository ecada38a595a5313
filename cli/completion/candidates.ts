import type { Argument, Command, Option } from 'commander';
import { commandsOf, optionsOf, placeOf } from './cursor.ts';

/** Candidates at the cursor: words, or paths, which the shell completes. */
export type Candidates =
  | { readonly kind: 'words'; readonly words: readonly Candidate[] }
  | { readonly kind: 'paths' };

export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** Names known only to the daemon. Each is empty if the caller may not see them or the daemon is unreachable. */
export interface Known {
  accounts(beginning: string): Promise<readonly string[]>;
  factors(account: string): Promise<readonly { readonly name: string; readonly kind: string }[]>;
  realms(): Promise<readonly string[]>;
  services(): readonly string[];
}

/**
 * Finds the candidates for a command line.
 * @param words complete words between the program's name and the cursor
 */
export async function candidates(
  program: Command,
  words: readonly string[],
  current: string,
  known: Known,
): Promise<Candidates> {
  const place = placeOf(program, words, current);
  switch (place.kind) {
    case 'nothing':
      return wordsOf([]);
    case 'command':
      return wordsOf(
        withPrefix(
          commandsOf(place.command)
            .filter((command) => command.name() !== 'help')
            .map((command) => ({ word: command.name(), about: command.summary() || command.description() })),
          current,
        ),
      );
    case 'option':
      return wordsOf(
        withPrefix(
          optionsOf(place.command)
            .filter(({ long }) => long !== undefined && !place.given.includes(long))
            .map(({ long, description }) => ({ word: long ?? '', about: description })),
          current,
        ),
      );
    case 'value':
      return valuesOf(place.of, place.earlier, current, known);
  }
}

async function valuesOf(
  of: Argument | Option,
  earlier: readonly string[],
  current: string,
  known: Known,
): Promise<Candidates> {
  if (of.argChoices !== undefined) return named(of.argChoices, current);
  switch (valueName(of)) {
    case 'user':
      return named(await known.accounts(current), current);
    case 'factor': {
      const factors = await known.factors(earlier[0] ?? '');
      return wordsOf(
        withPrefix(
          factors.map(({ name, kind }) => ({ word: name, about: kind })),
          current,
        ),
      );
    }
    case 'realm':
      return named(await known.realms(), current);
    case 'service':
      return named(known.services(), current);
    case 'file':
    case 'path':
    case 'directory':
    case 'dir':
      return { kind: 'paths' };
    default:
      return wordsOf([]);
  }
}

/** The placeholder that --help prints in angle brackets. */
function valueName(of: Argument | Option): string {
  const written = 'flags' in of ? (/[<[]([^>\].]+)/.exec(of.flags)?.[1] ?? '') : of.name();
  return written.toLowerCase();
}

function named(names: readonly string[], current: string): Candidates {
  return wordsOf(
    withPrefix(
      names.map((word) => ({ word, about: '' })),
      current,
    ),
  );
}

function wordsOf(words: readonly Candidate[]): Candidates {
  return { kind: 'words', words };
}

function withPrefix(all: readonly Candidate[], current: string): readonly Candidate[] {
  return all.filter(({ word }) => word.startsWith(current));
}
