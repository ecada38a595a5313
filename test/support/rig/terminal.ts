import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Time that any one answer of a program may take on a busy machine. */
const patience = 60_000;

/**
 * sudo empties its input when it turns the echo off, a moment after its prompt stands on the terminal;
 * what is typed before is lost, and nothing tells when that moment has passed.
 */
export const sudoFlush = 500;

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

const open = new Set<Terminal>();

/** Ends whatever a test has left on its terminals. */
export async function hangUpAll(): Promise<void> {
  await Promise.all([...open].map((terminal) => terminal.hangUp()));
}

/** A program on a terminal of its own: wait for what it says, type, read the whole of it when it fails. */
export class Terminal {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #command: string;
  readonly #ended: Promise<number>;
  #status: number | undefined;
  #output = '';
  #seen = 0;
  #wake: () => void = () => undefined;

  /** @param argv the program and its arguments; `script` gives it the terminal and passes its exit status on */
  constructor(argv: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.#command = argv.map(quoted).join(' ');
    const env = { ...process.env, TERM: 'dumb', LC_ALL: 'C.UTF-8', SHELL: '/bin/sh', ...environment };
    this.#child = spawn('script', ['-qefE', 'always', '-c', `exec ${this.#command}`, '/dev/null'], { env });
    this.#child.stdin.on('error', () => undefined);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        this.#wake();
      });
    open.add(this);
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code, signal) => {
        open.delete(this);
        this.#status = code ?? 128 + (signal === null ? 0 : 9);
        this.#wake();
        resolve(this.#status);
      });
    });
  }

  /** All that stood on the terminal so far. */
  get transcript(): string {
    return this.#output;
  }

  /** Waits until the pattern stands in what was not looked at yet, and moves on behind it. */
  async expect(pattern: RegExp, ms = patience): Promise<RegExpExecArray> {
    const end = performance.now() + ms;
    for (;;) {
      const found = pattern.exec(this.#output.slice(this.#seen));
      if (found !== null) {
        this.#seen += found.index + found[0].length;
        return found;
      }
      if (this.#status !== undefined) throw this.#failure(`ended with ${this.#status} before ${pattern}`);
      if (performance.now() > end) throw this.#failure(`${ms} ms without ${pattern}`);
      await this.#more(end);
    }
  }

  send(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Waits for a prompt and answers it. */
  async answer(prompt: RegExp, text: string): Promise<void> {
    await this.expect(prompt);
    this.send(`${text}\r`);
  }

  /** The exit status of the program, once it has ended by itself. */
  async ended(ms = patience): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#failure(`did not end within ${ms} ms`)), ms);
    });
    return Promise.race([this.#ended, late]).finally(() => clearTimeout(timer));
  }

  /** Takes the terminal away at once, as a broken line does. */
  async hangUp(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Ends the program at once, before it can say anything: a client whose machine is gone. */
  async vanish(): Promise<void> {
    const children = `/proc/${this.#child.pid}/task/${this.#child.pid}/children`;
    for (const pid of readFileSync(children, 'utf8').trim().split(' ').filter(Boolean).map(Number))
      process.kill(pid, 'SIGKILL');
    await this.hangUp();
  }

  async #more(end: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, end - performance.now()));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => undefined;
  }

  #failure(what: string): Error {
    return new Error(`${this.#command}: ${what}\n--- terminal\n${this.#output}\n---`);
  }
}

/** The terminal calls itself /dev/NAME. */
const asConsole =
  'umount -l "$0" 2>/dev/null; touch "$0"; mount --bind "$(tty)" "$0"; exec "$@" <>"$0" >&0 2>&0';

/** login(1) on a terminal that calls itself /dev/NAME, as a console does. */
export function onTty(name: string, ...options: string[]): Terminal {
  return onConsole(name, ['login', ...options]);
}

/** Any program on such a terminal. */
export function onConsole(name: string, command: readonly string[]): Terminal {
  return new Terminal(['bash', '-c', asConsole, `/dev/${name}`, ...command]);
}
