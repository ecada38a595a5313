import type { StoredAuditEvent } from '../../daemon/audit/event.ts';
import type { AccountRecord, Commit, CommitOutcome, StoreHealth } from '../../daemon/store/contract.ts';
import { MemoryStore } from './memory-store.ts';

/** The memory store, which also keeps what was written for inspection. */
export class ProbedStore extends MemoryStore {
  /** Every event, in order. */
  readonly trail: StoredAuditEvent[] = [];
  /** Commits that went through. */
  readonly commits: Commit[] = [];
  /** Called before each commit, where another one can come first. */
  beforeCommit: () => Promise<void> = async () => undefined;
  followers = 0;
  findings: readonly string[] = [];

  constructor() {
    super();
    super.follow((event) => this.trail.push(event));
  }

  override async commit(commit: Commit): Promise<CommitOutcome> {
    await this.beforeCommit();
    const outcome = await super.commit(commit);
    if (outcome === 'committed') this.commits.push(commit);
    return outcome;
  }

  override follow(listener: (event: StoredAuditEvent) => void): () => void {
    const stop = super.follow(listener);
    this.followers += 1;
    return () => {
      this.followers -= 1;
      stop();
    };
  }

  override health(): StoreHealth {
    const health = super.health();
    return { ...health, scrub: { ...health.scrub, findings: this.findings } };
  }

  /** Writes past the hook, as another client of the store would. */
  async put(account: string, change: Partial<AccountRecord>): Promise<void> {
    const { value, version } = await this.account(account);
    const empty = {
      account,
      created: 1_700_000_000_000,
      factors: [],
      lock: { codes: 0, any: 0 },
      grants: [],
    };
    const write = { ...(value ?? empty), ...change };
    await super.commit({ accounts: [{ account, version, write }], events: [] });
  }

  async get(account: string): Promise<AccountRecord | undefined> {
    return (await this.account(account)).value;
  }
}
