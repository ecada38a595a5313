import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { Config } from '../config/contract.ts';
import { defaultConfigFile, type HelperPrograms, rootedPaths } from '../config/defaults.ts';
import { parseConfig } from '../config/load.ts';
import { configError } from '../config/problem.ts';
import { initialConfig, rootedService } from '../config/write.ts';
import { createDurably, type FileOwner } from '../lib/durable.ts';
import { SallyportError } from '../lib/errors.ts';
import { inspectTarget } from '../lib/write-target.ts';
import { createMasterKey, loadKeyring } from '../sealing/keyring.ts';
import { createStore } from '../store/leveldb/create.ts';
import type { Locks } from '../store/leveldb/lock.ts';

export interface InitOptions {
  /** Everything below this directory; undefined: the usual system paths. */
  readonly root: string | undefined;
  /** The configuration file; undefined: its usual place. */
  readonly file: string | undefined;
  readonly host: string;
  /** With a root: what is started as a child. */
  readonly helpers?: HelperPrograms;
  readonly locks: Locks;
  /** By root, without a root directory: the account that sallyportd runs as. Undefined: the caller. */
  readonly daemon?: DaemonAccount;
}

/** The account that sallyportd runs as. */
export interface DaemonAccount extends FileOwner {
  /** Makes the store as that account, by the same `initialise`. @throws SallyportError: what it said */
  makeStore(file: string): Promise<void>;
}

/** What `init` created, and what existed and was left unchanged. */
export interface Initialised {
  readonly file: string;
  readonly paths: Config['paths'];
  readonly made: readonly string[];
  readonly kept: readonly string[];
}

/** Undefined: the configuration was there before, and names another place, which is its owner's. */
function ownServiceDir(root: string, paths: Config['paths']): string | undefined {
  const { passwordHelper: password, passwordServiceDir } = paths;
  return passwordServiceDir === rootedPaths(root, { password }).passwordServiceDir
    ? passwordServiceDir
    : undefined;
}

/**
 * Lays out configuration, master key and store. The only place where any of them begins.
 *
 * Invariants:
 * - nothing that exists is written over: a second `init` changes nothing and says so;
 * - the store comes last, and only together with a key that is on disk;
 * - run by root, the configuration stays root's, and nothing is done as root in a directory of the daemon's.
 *
 * @throws SallyportError `store-exists`, `config-bad`, `store-key`, `bad-path`
 */
export async function initialise(options: InitOptions): Promise<Initialised> {
  const { root, daemon } = options;
  if (root !== undefined && !isAbsolute(root))
    throw new SallyportError('bad-path', `--root takes an absolute path, which ${root} is not`);
  const file = options.file ?? (root === undefined ? defaultConfigFile : join(root, 'etc/sallyport.toml'));
  const made: string[] = [];
  const kept: string[] = [];
  const once = (path: string, make: () => void): void => {
    if (existsSync(path)) {
      kept.push(path);
      return;
    }
    const there = inspectTarget(path);
    if (there.kind === 'link')
      throw new SallyportError(
        'bad-path',
        `${path} is a link to ${there.to}, which is not there; remove the link`,
      );
    make();
    made.push(path);
  };
  directory(dirname(file), 0o755);
  once(file, () => {
    createDurably(file, Buffer.from(initialConfig(root, options.helpers)));
    // It holds no secret, and the CLI of every user asks it for the control socket.
    chmodSync(file, 0o644);
  });
  const parsed = parseConfig(readFileSync(file, 'utf8'), file, options.host);
  if (!parsed.ok) throw configError(parsed.problems);
  const { paths } = parsed.config;

  directory(dirname(paths.masterKey), 0o755);
  for (const path of [paths.store, paths.anchor, paths.lastGood]) directory(dirname(path), 0o700, daemon);
  for (const path of [paths.pamSocket, paths.controlSocket]) directory(dirname(path), 0o755);
  const serviceDir = root === undefined ? undefined : ownServiceDir(root, paths);
  if (serviceDir !== undefined) {
    directory(serviceDir, 0o755);
    const service = join(serviceDir, rootedService.name);
    once(service, () => createDurably(service, Buffer.from(rootedService.text)));
  }
  if (existsSync(paths.store))
    throw new SallyportError(
      'store-exists',
      `there is a store in ${paths.store} already; it was left as it is. Nothing more is needed to start sallyportd.`,
    );
  once(paths.masterKey, () => createMasterKey(paths.masterKey, daemon));
  if (daemon !== undefined) {
    await daemon.makeStore(file);
  } else {
    const keyring = loadKeyring({ path: paths.masterKey });
    await createStore({ directory: paths.store, anchor: paths.anchor, keyring, locks: options.locks });
  }
  made.push(paths.store, paths.anchor);
  return { file, paths, made, kept };
}

function directory(path: string, mode: number, owner?: FileOwner): void {
  // The umask is strict for the store's sake; what other users have to pass must not suffer from it.
  const umask = process.umask(0o022);
  try {
    if (mkdirSync(path, { recursive: true }) === undefined) return;
    chmodSync(path, mode);
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  } finally {
    process.umask(umask);
  }
}
