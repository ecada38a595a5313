import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { run } from '../../cli/program.ts';

export interface InProcess {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command in this process, in a pipe or on a terminal of so many columns; nothing can be typed. */
export async function runInProcess(words: readonly string[], columns?: number): Promise<InProcess> {
  const [output, error] = [written(columns), written(columns)];
  const status = await run(words, {
    input: Readable.from([]),
    output,
    error,
    environment: { NO_COLOR: '1', LC_ALL: 'C.UTF-8' },
    daemonMain: join(import.meta.dirname, '../../daemon/main.js'),
    version: '9.9.9',
    now: () => Date.now(),
    onInterrupt: () => undefined,
  });
  return { status, out: output.text(), err: error.text() };
}

/** What is written to it; a terminal of so many columns, or a pipe. */
export function written(columns: number | undefined) {
  let text = '';
  const stream = new Writable({
    write: (chunk, _, done) => {
      text += String(chunk);
      done();
    },
  });
  return Object.assign(stream, {
    isTTY: columns !== undefined,
    text: () => text,
    ...(columns === undefined ? {} : { columns }),
  });
}
