import { type Action, actionFor } from './control.ts';
import type { ModuleLine } from './lines.ts';
import type { StackEntry } from './read.ts';

/** One path through a stack: the result of each module, and libpam's result. */
export interface Outcome {
  /** "success", or the error that the program receives. */
  readonly status: string;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly line: ModuleLine;
  readonly answer: string;
  readonly action: Action;
}

/** libpam's result if no module succeeded or failed. */
export const mustFail = 'perm_denied';
/** Limit of paths; usual stacks have far fewer. Only the first ones are evaluated. */
const mostOutcomes = 20_000;

type Impression = 'none' | 'positive' | 'negative';
interface State {
  readonly impression: Impression;
  readonly status: string;
}

/**
 * All paths through a stack, as _pam_dispatch of libpam runs it.
 * @param answersOf possible results of a module (names of control.ts); empty: the line is ignored
 */
export function outcomes(
  entries: readonly StackEntry[],
  answersOf: (line: ModuleLine) => readonly string[],
): readonly Outcome[] {
  const found: Outcome[] = [];

  const walk = (start: number, state: State, saved: readonly State[], steps: readonly Step[]): void => {
    if (found.length >= mostOutcomes) return;
    const entry = entries[start];
    if (entry === undefined) {
      found.push({ status: verdict(state), steps });
      return;
    }
    if (entry.kind === 'substack') {
      const within = [...saved.slice(0, entry.depth + 1)];
      within[entry.depth + 1] = state;
      walk(start + 1, state, within, steps);
      return;
    }
    if (entry.kind === 'broken') {
      walk(start + 1, spoiled(state, mustFail), saved, steps);
      return;
    }
    const answers = answersOf(entry.line);
    if (answers.length === 0) walk(start + 1, state, saved, steps);
    for (const answer of answers) {
      const action = actionFor(entry.line.control, answer);
      const after = follow(state, action, answer, saved[entry.depth] ?? fresh);
      const taken = [...steps, { line: entry.line, answer, action }];
      if (typeof action === 'number') {
        const [next, missed] = jumped(entries, start, action);
        walk(next, missed ? { impression: 'negative', status: mustFail } : after, saved, taken);
      } else {
        const ends = action === 'die' || (action === 'done' && after.impression === 'positive');
        walk(ends ? endOf(entries, start) : start + 1, after, saved, taken);
      }
    }
  };
  walk(0, fresh, [fresh], []);
  return found;
}

const fresh: State = { impression: 'none', status: 'success' };

function verdict({ impression, status }: State): string {
  return status === 'success' && impression !== 'positive' ? mustFail : status;
}

function follow(state: State, action: Action, answer: string, before: State): State {
  switch (action) {
    case 'reset':
      return before;
    case 'ok':
    case 'done':
      // Only success and new_authtok_reqd can become the result of the stack; the first failure stays.
      if (state.impression === 'none') return { impression: 'positive', status: answer };
      return state.impression === 'positive' && state.status === 'success'
        ? { impression: 'positive', status: answer }
        : state;
    case 'bad':
    case 'die':
      return spoiled(state, answer);
    default:
      return state;
  }
}

function spoiled(state: State, answer: string): State {
  if (state.impression === 'negative') return state;
  return { impression: 'negative', status: answer === 'success' || answer === 'ignore' ? mustFail : answer };
}

/** The index after the rest of this (sub)stack. */
function endOf(entries: readonly StackEntry[], from: number): number {
  const depth = entries[from]?.depth ?? 0;
  const end = entries.findIndex((entry, index) => index > from && entry.depth < depth);
  return end < 0 ? entries.length : end;
}

/** @returns the target of a jump, and whether too few lines were left */
function jumped(entries: readonly StackEntry[], from: number, lines: number): readonly [number, boolean] {
  const depth = entries[from]?.depth ?? 0;
  const deep = (index: number) => entries[index]?.depth ?? -1;
  let at = from;
  let left = lines;
  while (left > 0 && deep(at + 1) >= depth) {
    do at += 1;
    while (deep(at + 1) > depth);
    left -= 1;
  }
  return [at + 1, left > 0];
}
