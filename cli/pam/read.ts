import type { PamFile, PamFiles } from './files.ts';
import {
  type BrokenLine,
  type IncludeLine,
  type ModuleLine,
  type PamLine,
  type Phase,
  parseLines,
} from './lines.ts';

/**
 * The stack of a service as libpam resolves it, with includes, substacks and "other", and the location of each line.
 * `check.ts` evaluates it.
 */
export type StackEntry =
  | { readonly kind: 'module'; readonly line: ModuleLine; readonly depth: number; readonly via: Via }
  /** The beginning of a substack; its lines follow, one level deeper. It counts as one line for jumps at its level. */
  | { readonly kind: 'substack'; readonly line: IncludeLine; readonly depth: number; readonly via: Via }
  /** libpam refuses every login that runs this line. */
  | {
      readonly kind: 'broken';
      readonly line: BrokenLine | IncludeLine;
      readonly why: string;
      readonly depth: number;
      readonly via: Via;
    };

/** The includes above a line, the outermost first. */
export type Via = readonly IncludeLine[];

export interface Stack {
  readonly service: string;
  readonly phase: Phase;
  /** Its first file; absent if no file exists, not even "other": libpam then refuses. */
  readonly file?: string;
  /** The service does not configure this phase, so libpam uses "other". */
  readonly other: boolean;
  readonly entries: readonly StackEntry[];
  /** Includes of a directory, which libpam reads as an empty file. */
  readonly directories?: readonly IncludeLine[];
  /** libpam rejects the whole service. */
  readonly fatal?: StackEntry & { readonly kind: 'broken' };
}

/** libpam's own limit. */
const deepestSubstack = 15;
/** libpam limits includes only by open files; no real configuration nests this deep. */
const deepestInclude = 64;

/** @returns the stack of one phase, flattened */
export function readStack(files: PamFiles, service: string, phase: Phase): Stack {
  const own = flattened(files, service, phase);
  if (own.fatal !== undefined || own.entries.length > 0 || service === 'other')
    return { service, phase, other: false, ...own };
  const { directories = [] } = own;
  return {
    service,
    phase,
    other: true,
    ...(directories.length === 0 ? {} : { directories }),
    ...flattened(files, 'other', phase),
  };
}

/** The lines of a service's own file, without following includes. */
export function readLines(files: PamFiles, service: string): readonly PamLine[] {
  const file = files.read(service);
  return file === undefined ? [] : parseLines(file.text, file.path);
}

/** Every file that the service reads in any phase, its own first. */
export function filesOf(files: PamFiles, service: string): readonly string[] {
  const found = new Set<string>();
  const visit = (name: string) => {
    const file = files.read(name);
    if (file === undefined || found.has(file.path)) return;
    found.add(file.path);
    for (const line of parseLines(file.text, file.path)) if (line.kind === 'include') visit(line.target);
  };
  visit(service);
  return [...found];
}

/** All services that a change to this file applies to, sorted, including its own. */
export function servicesReaching(files: PamFiles, path: string): readonly string[] {
  return files.names().filter((service) => filesOf(files, service).includes(path));
}

type Broken = StackEntry & { readonly kind: 'broken' };
type Flattened = Pick<Stack, 'file' | 'entries' | 'directories' | 'fatal'>;

function flattened(files: PamFiles, service: string, phase: Phase): Flattened {
  const start = files.read(service);
  if (start === undefined) return { entries: [] };
  const walk = new Walk(files, phase);
  walk.through(start, { via: [], depth: 0, reading: 'all', active: [start.path] });
  return { file: start.path, ...walk.result() };
}

/** Where in the nesting a line is read. */
interface Level {
  readonly via: Via;
  readonly depth: number;
  /** The phase that libpam reads in this file. */
  readonly reading: Phase | 'all';
  /** Paths of the files that are open, this one last. */
  readonly active: readonly string[];
}

/** Reads one phase of a service, in the order in which libpam does. */
class Walk {
  readonly #files: PamFiles;
  readonly #phase: Phase;
  readonly #entries: StackEntry[] = [];
  readonly #directories: IncludeLine[] = [];
  #fatal: Broken | undefined;

  constructor(files: PamFiles, phase: Phase) {
    this.#files = files;
    this.#phase = phase;
  }

  through(file: PamFile, level: Level): void {
    const { reading, depth, via } = level;
    for (const line of parseLines(file.text, file.path)) {
      if (line.kind === 'include') this.#include(line, level);
      // A line without a phase belongs to the phase that libpam reads; at the top level, to auth.
      else if ((line.phase ?? (reading === 'all' ? 'auth' : reading)) !== this.#phase && !isFatal(line))
        continue;
      else if (line.kind === 'module') this.#entries.push({ kind: 'module', line, depth, via });
      else this.#breaks(line, line.why, level, line.fatal);
    }
  }

  result(): Omit<Flattened, 'file'> {
    return {
      entries: this.#entries,
      ...(this.#directories.length === 0 ? {} : { directories: this.#directories }),
      ...(this.#fatal === undefined ? {} : { fatal: this.#fatal }),
    };
  }

  #include(line: IncludeLine, level: Level): void {
    const { depth, via, reading, active } = level;
    const all = line.phase === 'all';
    if (!all && line.phase !== this.#phase) return;
    const file = this.#files.read(line.target);
    // A missing "@include" rejects the service; a missing "auth include" only its logins.
    if (file === undefined) this.#breaks(line, `${line.target} not found`, level, all);
    else if (active.includes(file.path) || active.length >= deepestInclude)
      this.#breaks(line, `${line.target} includes itself, which makes libpam fail`, level, true);
    else if (line.substack && depth >= deepestSubstack)
      this.#breaks(line, `substacks are nested deeper than ${deepestSubstack}`, level, false);
    else {
      if (file.isDirectory === true) this.#directories.push(line);
      if (line.substack) this.#entries.push({ kind: 'substack', line, depth, via });
      this.through(file, {
        via: [...via, line],
        depth: line.substack ? depth + 1 : depth,
        reading: line.phase === 'all' ? reading : line.phase,
        active: [...active, file.path],
      });
    }
  }

  #breaks(line: BrokenLine | IncludeLine, why: string, { depth, via }: Level, ends: boolean): void {
    const entry = { kind: 'broken', line, why, depth, via } as const;
    this.#entries.push(entry);
    if (ends) this.#fatal ??= entry;
  }
}

/** A line that rejects the service does so in every phase. */
function isFatal(line: PamLine): boolean {
  return line.kind === 'broken' && line.fatal;
}

/** Whether a line runs pam_sallyport, from any directory. */
export function isOurs(line: ModuleLine): boolean {
  return /(?:^|\/)pam_sallyport\.so$/.test(line.module);
}

/** "/etc/pam.d/sshd:4". */
export function placeOf({ file, line }: { readonly file: string; readonly line: number }): string {
  return `${file}:${line}`;
}
