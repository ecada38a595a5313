import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAddon } from '../../daemon/host/addon.ts';
import { createMasterKey, loadKeyring } from '../../daemon/sealing/keyring.ts';
import { createStore } from '../../daemon/store/leveldb/create.ts';
import type { LevelStore } from '../../daemon/store/leveldb/level-store.ts';
import { type OpenOptions, openStore } from '../../daemon/store/leveldb/open.ts';

/** Everything of one store lies below one directory, so that it can be copied and put back as a whole. */
export class StoreRig {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static at(root: string): StoreRig {
    return new StoreRig(root);
  }

  /** A new, empty store. */
  static async create(root = mkdtempSync(join(tmpdir(), 'sallyport-store-'))): Promise<StoreRig> {
    const rig = new StoreRig(root);
    createMasterKey(rig.key);
    await createStore(rig.options());
    return rig;
  }

  get directory(): string {
    return join(this.root, 'store');
  }

  get anchor(): string {
    return join(this.root, 'anchor');
  }

  get key(): string {
    return join(this.root, 'master.key');
  }

  options(): OpenOptions & { readonly reserveBytes: number } {
    return {
      directory: this.directory,
      anchor: this.anchor,
      keyring: loadKeyring({ path: this.key }),
      locks: loadAddon(),
      reserveBytes: 256 * 1024,
    };
  }

  open(options: Partial<OpenOptions> = {}): Promise<LevelStore> {
    return openStore({ ...this.options(), ...options });
  }

  /** All of it as it lies there. The store MUST be closed, or be that of another process. */
  copy(): StoreRig {
    const root = mkdtempSync(join(tmpdir(), 'sallyport-store-'));
    cpSync(this.root, root, { recursive: true });
    return new StoreRig(root);
  }

  /** A hash over names and contents of the store's directory and its anchor. */
  fingerprint(): string {
    const hash = createHash('sha256');
    for (const name of readdirSync(this.directory).sort()) {
      hash
        .update(name)
        .update('\0')
        .update(readFileSync(join(this.directory, name)))
        .update('\0');
    }
    return hash.update(readFileSync(this.anchor)).digest('hex');
  }

  file(pattern: RegExp): string {
    const names = readdirSync(this.directory)
      .filter((name) => pattern.test(name))
      .sort();
    const name = names.at(-1);
    if (name === undefined) throw new Error(`no file like ${pattern} in ${this.directory}`);
    return join(this.directory, name);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
