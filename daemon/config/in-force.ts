import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { replaceDurably } from '../lib/durable.ts';
import { messageOf, SallyportError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Keyring } from '../sealing/keyring.ts';
import { createSealer } from '../sealing/seal.ts';
import type { Config } from './contract.ts';
import { defaultConfigFile, rootedPaths, systemPaths } from './defaults.ts';
import { parseConfig } from './load.ts';
import { describeProblem } from './problem.ts';

/**
 * The active configuration. Invariants:
 * - an invalid file, at start or at reload, leaves the last good one active, with a warning;
 * - the last good one comes from a sealed copy that can be written only with the master key;
 * - what a running daemon cannot change (paths) stays as it was at the start.
 */
export interface Configuration {
  current(): Config;
  /** When the one in force was loaded; milliseconds since the epoch. */
  loaded(): number;
  /** Why the current file is not active. */
  problem(): string | undefined;
  /** @throws SallyportError `config-invalid` */
  reload(): Config;
  /** Seals the copy of the active one again, with the current master key. @throws Error on failure */
  keep(): void;
}

/** What has to be heard at every start and reload, and in `status`, as long as it lasts. */
export function observingWarnings({ realms, file }: Config): readonly string[] {
  return realms
    .filter(({ observe }) => observe)
    .map(
      ({ name, line }) =>
        `the realm "${name}" (${file}:${line}) is in observe mode: its accounts are neither asked for a second factor nor refused; run: sallyport report`,
    );
}

export interface ConfigurationOptions {
  readonly file: string;
  /** The issuer where the file names none. */
  readonly host: string;
  readonly now: () => number;
  readonly log: Log;
}

interface Good {
  readonly config: Config;
  readonly text: string;
}

/** The directory of `init --root` that a configuration file belongs to; undefined: it belongs to the system. */
export function rootOf(file: string): string | undefined {
  return file === defaultConfigFile ? undefined : /^(.*)\/etc\/sallyport\.toml$/.exec(file)?.[1];
}

/** Where things lie, asked of a file that may be bad: enough to find the last good one. */
export function likelyPaths(file: string, text: string | undefined): Config['paths'] {
  const root = rootOf(file);
  const defaults = root === undefined ? systemPaths : rootedPaths(root);
  return { ...defaults, ...(text === undefined ? {} : pathsIn(text)) };
}

function pathsIn(text: string): Partial<Pick<Config['paths'], 'store' | 'masterKey' | 'lastGood'>> {
  let paths: unknown;
  try {
    paths = parse(text).paths;
  } catch {
    return {};
  }
  if (typeof paths !== 'object' || paths === null) return {};
  const named = (key: string): string | undefined => {
    const value: unknown = Object.getOwnPropertyDescriptor(paths, key)?.value;
    return typeof value === 'string' && value.startsWith('/') ? value : undefined;
  };
  const store = named('store');
  const masterKey = named('master_key');
  const lastGood = named('last_good');
  return {
    ...(store === undefined ? {} : { store }),
    ...(masterKey === undefined ? {} : { masterKey }),
    ...(lastGood === undefined ? {} : { lastGood }),
  };
}

/** @throws SallyportError `config-invalid`, with every problem named */
function read(options: ConfigurationOptions): Good {
  let text: string;
  try {
    text = readFileSync(options.file, 'utf8');
  } catch (error) {
    throw new SallyportError('config-invalid', `${options.file} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const parsed = parseConfig(text, options.file, options.host);
  if (parsed.ok) return { config: parsed.config, text };
  throw new SallyportError('config-invalid', parsed.problems.map(describeProblem).join('\n'));
}

/** The copy is bound to the file that it was read from. */
function placeOf(file: string): Buffer {
  return Buffer.from(`last-good\0${file}`);
}

function keep(good: Good, keyring: Keyring, options: ConfigurationOptions): void {
  const sealed = createSealer(keyring).seal(
    'config',
    placeOf(options.file),
    options.now(),
    Buffer.from(good.text),
  );
  replaceDurably(good.config.paths.lastGood, sealed);
}

/** Nothing else depends on it while the file is valid. */
function keepOrTell(good: Good, keyring: Keyring, options: ConfigurationOptions): void {
  try {
    keep(good, keyring, options);
  } catch (error) {
    options.log.warning('last-good-not-written', {
      file: good.config.paths.lastGood,
      message: messageOf(error),
    });
  }
}

function lastGood(keyring: Keyring, path: string, options: ConfigurationOptions): Good & { at: number } {
  const opened = createSealer(keyring).open('config', placeOf(options.file), readFileSync(path));
  const text = opened.plaintext.toString('utf8');
  const parsed = parseConfig(text, options.file, options.host);
  if (!parsed.ok)
    throw new SallyportError('config-invalid', 'the last good one is not good for this version');
  return { config: parsed.config, text, at: opened.version };
}

/**
 * Reads the file; when it is bad, the sealed copy of the last good one.
 * @param keyringAt loads the master key, whose path the configuration says
 * @throws SallyportError `config-invalid` when neither is any good
 */
export function loadConfiguration(
  options: ConfigurationOptions,
  keyringAt: (path: string) => Keyring,
): { readonly configuration: Configuration; readonly keyring: Keyring } {
  let problem: string | undefined;
  let good: Good;
  let loaded = options.now();
  let keyring: Keyring;
  try {
    good = read(options);
    keyring = keyringAt(good.config.paths.masterKey);
    keepOrTell(good, keyring, options);
  } catch (error) {
    if (!(error instanceof SallyportError) || error.code !== 'config-invalid') throw error;
    problem = error.message;
    ({ keyring, good, loaded } = fallBack(error, options, keyringAt));
    options.log.error('config-bad', {
      file: options.file,
      message: problem,
      inForce: new Date(loaded).toISOString(),
    });
  }
  const { paths } = good.config;
  let current = good.config;
  const warn = () => {
    for (const message of observingWarnings(current)) options.log.warning('realm-observes', { message });
    for (const message of current.deprecated ?? []) options.log.warning('setting-deprecated', { message });
  };
  warn();
  let { text } = good;
  return {
    keyring,
    configuration: {
      current: () => current,
      loaded: () => loaded,
      problem: () => problem,
      keep: () => keep({ config: current, text }, keyring, options),
      reload() {
        try {
          const fresh = read(options);
          keepOrTell({ ...fresh, config: { ...fresh.config, paths } }, keyring, options);
          const moved = JSON.stringify(fresh.config.paths) !== JSON.stringify(paths);
          problem = moved
            ? '[paths] has changed: restart sallyportd to use it; all else is in force'
            : undefined;
          current = { ...fresh.config, paths };
          text = fresh.text;
          loaded = options.now();
          options.log.info('config-loaded', { file: options.file, realms: current.realms.length });
          warn();
          return current;
        } catch (error) {
          problem = messageOf(error);
          options.log.error('config-bad', { file: options.file, message: problem });
          throw error;
        }
      },
    },
  };
}

function fallBack(
  bad: SallyportError,
  options: ConfigurationOptions,
  keyringAt: (path: string) => Keyring,
): { keyring: Keyring; good: Good; loaded: number } {
  let text: string | undefined;
  try {
    text = readFileSync(options.file, 'utf8');
  } catch {
    // Unreadable is one of the ways to be bad; the places are guessed then.
  }
  const paths = likelyPaths(options.file, text);
  try {
    const keyring = keyringAt(paths.masterKey);
    const { at, ...good } = lastGood(keyring, paths.lastGood, options);
    return { keyring, good, loaded: at };
  } catch (error) {
    throw new SallyportError(
      'config-invalid',
      `${bad.message}\nThere is no last good configuration to go on with either (${messageOf(error)}).`,
      { cause: error },
    );
  }
}
