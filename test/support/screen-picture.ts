import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A screen as it is seen: its cells with their colours, as pixels, and what a reader of QR codes makes of them. */

/** What a terminal shows where a program says no colour. Grey levels. */
export const themes = { dark: { ink: 229, paper: 0 }, light: { ink: 0, paper: 255 } } as const;
export type Theme = keyof typeof themes;

interface Cell {
  readonly char: string;
  readonly ink: number;
  readonly paper: number;
}

/** Half blocks are squares: a cell is twice as high as it is wide. */
const half = 6;

/** @param captured lines with SGR codes, as `tmux capture-pane -e` writes them */
export function scan(captured: readonly string[], columns: number, theme: Theme): readonly string[] {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-screen-'));
  try {
    const file = join(directory, 'screen.pgm');
    writeFileSync(file, pixels(cellsOf(captured, theme), columns, theme));
    const read = spawnSync('zbarimg', ['--quiet', '--raw', file], { encoding: 'utf8' });
    if (read.error !== undefined) throw read.error;
    return read.stdout.split('\n').filter((line) => line !== '');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Colours stay from one line to the next. */
function cellsOf(lines: readonly string[], theme: Theme): readonly (readonly Cell[])[] {
  let { ink, paper }: { ink: number; paper: number } = themes[theme];
  const take = (code: number): void => {
    if (code === 0 || code === 39) ({ ink } = themes[theme]);
    if (code === 0 || code === 49) ({ paper } = themes[theme]);
    if (code === 30) ink = 0;
    if (code === 97) ink = 255;
    if (code === 40) paper = 0;
    if (code === 47) paper = 170;
    if (code === 107) paper = 255;
  };
  return lines.map((line) => {
    const cells: Cell[] = [];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is looked for
    for (const [part, codes] of line.matchAll(/\x1b\[([\d;]*)m|./gsu))
      if (codes === undefined) cells.push({ char: part, ink, paper });
      else codes.split(';').map(Number).forEach(take);
    return cells;
  });
}

/** In the form of pgm(5), without a margin: what lies outside the window is of no help to a reader. */
function pixels(rows: readonly (readonly Cell[])[], columns: number, theme: Theme): Buffer {
  const [width, height] = [columns * half, rows.length * 2 * half];
  const image = Buffer.alloc(width * height, themes[theme].paper);
  rows.forEach((cells, row) => {
    cells.slice(0, columns).forEach(({ char, ink, paper }, column) => {
      for (let y = 0; y < 2 * half; y += 1)
        for (let x = 0; x < half; x += 1)
          image[(row * 2 * half + y) * width + column * half + x] = isInk(char, x, y) ? ink : paper;
    });
  });
  return Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`), image]);
}

function isInk(char: string, x: number, y: number): boolean {
  switch (char) {
    case '█':
      return true;
    case '▀':
      return y < half;
    case '▄':
      return y >= half;
    case ' ':
      return false;
    default:
      // Some letter.
      return x > 0 && y > 1 && y < 2 * half - 2 && (x + y) % 2 === 0;
  }
}

/** A terminal with cells, on which a program runs. */
export class Screen {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sallyport-tmux-'));
  readonly #size: { readonly columns: number; readonly rows: number };

  constructor(
    argv: readonly string[],
    size: { readonly columns: number; readonly rows: number },
    environment: NodeJS.ProcessEnv = {},
  ) {
    this.#size = size;
    const settings = join(this.#directory, 'tmux.conf');
    writeFileSync(
      settings,
      'set -g status off\nset -g remain-on-exit on\nset -g default-terminal xterm-256color\n',
    );
    const sizes = ['-x', String(size.columns), '-y', String(size.rows)];
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value ?? ''}`);
    this.#tmux(['-f', settings, 'new-session', '-d', ...sizes, 'env', ...variables, ...argv]);
  }

  /** The rows that are seen, with colour codes. */
  rows(): readonly string[] {
    return this.#tmux(['capture-pane', '-p', '-e', '-N']).split('\n').slice(0, this.#size.rows);
  }

  /** The rows that are seen, without. */
  text(): string {
    return this.#tmux(['capture-pane', '-p']);
  }

  /** Waits until the pattern stands on what is seen. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    const end = performance.now() + 60_000;
    for (;;) {
      const found = pattern.exec(this.text());
      if (found !== null) return found;
      if (performance.now() > end) throw new Error(`in vain: ${pattern}\n--- screen\n${this.text()}\n---`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  send(text: string): void {
    this.#tmux(['send-keys', '-l', text]);
    this.#tmux(['send-keys', 'Enter']);
  }

  /** What a reader makes of a photograph of it. */
  scan(theme: Theme): readonly string[] {
    return scan(this.rows(), this.#size.columns, theme);
  }

  close(): void {
    spawnSync('tmux', ['-S', join(this.#directory, 'socket'), 'kill-server']);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #tmux(words: readonly string[]): string {
    const env = { ...process.env, LC_ALL: 'C.UTF-8', TERM: 'xterm-256color' };
    return execFileSync('tmux', ['-u', '-S', join(this.#directory, 'socket'), ...words], {
      encoding: 'utf8',
      env,
    });
  }
}
