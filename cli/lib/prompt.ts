import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import type { World } from './environment.ts';
import { CliError } from './errors.ts';
import { fold, foldingColumns } from './fold.ts';
import { printable } from './text.ts';

/**
 * Prompts on standard error: standard output is for keys only.
 * Without a terminal no prompt is shown, and each answer is the next line of standard input.
 */
export interface Prompt {
  readonly interactive: boolean;
  /** @returns undefined if standard input has ended */
  ask(question: string): Promise<string | undefined>;
  /** The typed answer is not shown. */
  askSecret(question: string): Promise<string | undefined>;
  /** @throws CliError usage without a terminal, cancelled for a no */
  confirm(question: string, alreadySaid: boolean): Promise<void>;
  close(): void;
}

export function createPrompt(world: World): Prompt {
  const interactive = world.input.isTTY === true;
  const piped = createLines(world);
  const ask = (question: string, hidden: boolean) =>
    interactive ? askFolded(world, printable(question), hidden) : piped.next();
  return {
    interactive,
    ask: (question) => ask(question, false),
    askSecret: (question) => ask(question, true),
    async confirm(question, alreadySaid) {
      if (alreadySaid) return;
      if (!interactive) throw new CliError('usage', 'confirmation required; rerun with --yes');
      const answer = await askFolded(world, `${printable(question)} [y/N] `, false);
      if (!/^\s*y(?:es)?\s*$/i.test(answer ?? '')) throw new CliError('cancelled', 'nothing was changed');
    },
    close: () => piped.close(),
  };
}

/** Columns kept free for the answer. */
const answerColumns = 4;

/** readline redraws its prompt: it gets only the last line of the question. */
function askFolded(world: World, question: string, hidden: boolean): Promise<string | undefined> {
  const columns = foldingColumns(world.error);
  const lines = fold(question.trimEnd(), columns === undefined ? undefined : columns - answerColumns, 0);
  for (const line of lines.slice(0, -1)) world.error.write(`${line}\n`);
  const end = question.slice(question.trimEnd().length);
  return askTerminal(world, `${lines.at(-1) ?? ''}${end}`, hidden);
}

function askTerminal(world: World, question: string, hidden: boolean): Promise<string | undefined> {
  // For a hidden answer readline gets an output that drops its echo, and the question is written here.
  const reader = createInterface({
    input: world.input,
    output: hidden ? nowhere() : world.error,
    terminal: true,
    historySize: 0,
    prompt: hidden ? '' : question,
  });
  reader.prompt();
  // Only after the terminal's echo is off: an answer typed immediately must not be shown either.
  if (hidden) world.error.write(question);
  return new Promise((resolve, reject) => {
    reader.once('line', (line) => {
      reader.off('close', ended);
      reader.close();
      if (hidden) world.error.write('\n');
      resolve(line);
    });
    const ended = () => {
      world.error.write('\n');
      resolve(undefined);
    };
    reader.once('close', ended);
    reader.once('SIGINT', () => {
      reader.off('close', ended);
      reader.close();
      world.error.write('\n');
      reject(new CliError('cancelled', 'nothing was changed'));
    });
  });
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

/** Lines of a pipe from one shared reader: a second reader would lose what the first has buffered. */
function createLines(world: World): { next(): Promise<string | undefined>; close(): void } {
  let reader: Interface | undefined;
  let iterator: AsyncIterator<string> | undefined;
  return {
    async next() {
      reader ??= createInterface({
        input: world.input,
        terminal: false,
        crlfDelay: Number.POSITIVE_INFINITY,
      });
      iterator ??= reader[Symbol.asyncIterator]();
      const { value, done } = await iterator.next();
      return done === true ? undefined : value;
    },
    close() {
      reader?.close();
      world.input.pause();
    },
  };
}
