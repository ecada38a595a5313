import { messageOf } from '../../lib/errors.ts';
import { limits } from '../../limits.ts';
import { storeError } from '../../sealing/error.ts';
import type { Keyring } from '../../sealing/keyring.ts';
import type { StoreHealth } from '../contract.ts';
import { SealedStore, type SealedStoreParts } from '../sealed/sealed-store.ts';
import { AnchorFollower } from './anchor-follower.ts';
import { checkLiveTables } from './format/tables.ts';
import { LevelHandle } from './leveldb.ts';
import type { StoreLock } from './lock.ts';
import { type OpenFiles, openFiles, type StoreFiles } from './open-files.ts';
import { probeDirectory } from './probe.ts';
import { keepReserve } from './reserve.ts';

type Kept = 'sealer' | 'now' | 'bounds' | 'overShare' | 'scrubDelay' | 'scrubInterval';

export interface LevelStoreParts extends Pick<SealedStoreParts, Kept> {
  readonly files: StoreFiles;
  readonly keyring: Keyring;
  readonly lock: StoreLock;
  readonly opened: OpenFiles;
  readonly reserveBytes: number;
}

type State =
  | { readonly kind: 'ok' | 'closed' }
  /** `lasting`: only a restart helps. */
  | {
      readonly kind: 'unwritable';
      readonly reason: string;
      readonly since: number;
      readonly lasting: boolean;
    };

/** About once a minute. */
const ROUNDS_PER_RESERVE = 60;

/** The store on LevelDB. */
export class LevelStore extends SealedStore {
  readonly #parts: LevelStoreParts;
  readonly #handle: LevelHandle;
  readonly #housekeeping: NodeJS.Timeout;
  #anchor: AnchorFollower;
  #state: State = { kind: 'ok' };
  #rounds = 0;
  #round: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(parts: LevelStoreParts) {
    const { opened, files } = parts;
    const handle = new LevelHandle(opened.db);
    super({
      ...parts,
      handle,
      meta: opened.meta,
      checkFiles: () => checkLiveTables(files.directory),
      durable: ({ commit }) => this.#anchor.note(commit),
      failed: (error) => this.#cannotWrite(messageOf(error)),
    });
    this.#parts = parts;
    this.#handle = handle;
    this.#anchor = this.#follow(opened);
    this.#housekeeping = setInterval(() => this.#keepHouse(), limits.reopenInterval).unref();
    this.#keepHouse();
  }

  health(): StoreHealth {
    const state = this.#state;
    return {
      ...this.held(),
      state: state.kind,
      ...(state.kind === 'unwritable' ? { reason: state.reason, since: state.since } : {}),
      anchorCommit: this.#anchor.commit,
    };
  }

  /** Rewrites the anchor with the current master key. */
  resealAnchor(): Promise<void> {
    return this.#anchor.rewrite();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #follow({ anchor }: OpenFiles): AnchorFollower {
    return new AnchorFollower(anchor, limits.anchorInterval, (error) =>
      this.#cannotWrite(`the anchor cannot be written: ${messageOf(error)}`),
    );
  }

  #cannotWrite(reason: string, lasting = false): void {
    if (this.#state.kind === 'closed') return;
    const since = this.#state.kind === 'unwritable' ? this.#state.since : this.#parts.now();
    this.#state = { kind: 'unwritable', reason, since, lasting };
    const next = lasting ? 'Restart sallyportd.' : 'It is tried again all the time.';
    this.committer.refuse(
      storeError(
        'store-unwritable',
        `The store cannot be written since ${new Date(since).toISOString()}: ${reason}. Nothing of this change was stored. ${next}`,
      ),
    );
  }

  /** Runs once a second: checks the lock, and whether an unwritable store has become writable. */
  #keepHouse(): void {
    const before = this.#round;
    this.#round = before.then(() => this.#oneRound()).catch(() => {});
  }

  async #oneRound(): Promise<void> {
    const state = this.#state;
    if (this.#closing || (state.kind === 'unwritable' && state.lasting)) return;
    if (!this.#parts.lock.held()) {
      this.#cannotWrite(
        `its lock ${this.#parts.files.directory}.lock was removed or replaced, so another process may be writing it`,
        true,
      );
      return;
    }
    if (state.kind === 'unwritable') await this.#reopen();
    else if (this.#rounds % ROUNDS_PER_RESERVE === 0) {
      await keepReserve(this.#parts.files.reserve, this.#parts.reserveBytes);
    }
    this.#rounds += 1;
  }

  /** Repeats the checks of the start, and requires at least the commit that this process knows to be durable. */
  async #reopen(): Promise<void> {
    const { files, keyring, sealer } = this.#parts;
    try {
      await probeDirectory(files.directory);
      await this.committer.settled();
      await this.#anchor.stop();
      let opened: OpenFiles | undefined;
      await this.#handle.reopen(async () => {
        opened = await openFiles(files, keyring, sealer, this.committer.meta.commit);
        return opened.db;
      });
      if (!opened) return;
      this.#anchor.close();
      this.#anchor = this.#follow(opened);
      this.#state = { kind: 'ok' };
      this.#rounds = 0;
      this.committer.resume(opened.meta);
    } catch (error) {
      this.#cannotWrite(messageOf(error));
    }
  }

  async #close(): Promise<void> {
    clearInterval(this.#housekeeping);
    await this.#round;
    this.scrubs.stop();
    this.committer.stopTaking(storeError('store-closed', 'The store is closed.'));
    await this.committer.settled();
    const clean = this.#state.kind === 'ok';
    this.#state = { kind: 'closed' };
    await this.#anchor.stop();
    await this.#handle.close();
    try {
      if (clean) this.#anchor.finish(this.committer.meta.commit, true);
    } finally {
      this.#anchor.close();
      this.#parts.lock.release();
    }
  }
}
