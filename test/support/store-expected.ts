import assert from 'node:assert/strict';
import type { AccountRecord, Store } from '../../daemon/store/contract.ts';

interface Kept {
  readonly record: AccountRecord | undefined;
  readonly version: number;
}

/** What a store must still hold, whatever was done to its files. */
export class Expected {
  readonly #accounts: ReadonlyMap<string, Kept>;

  private constructor(accounts: ReadonlyMap<string, Kept>) {
    this.#accounts = accounts;
  }

  static async of(store: Store, names: Iterable<string>): Promise<Expected> {
    const accounts = new Map<string, Kept>();
    for (const name of names) {
      const { value, version } = await store.account(name);
      accounts.set(name, { record: value, version });
    }
    return new Expected(accounts);
  }

  static parse(text: string): Expected {
    return new Expected(new Map(JSON.parse(text)));
  }

  toString(): string {
    return JSON.stringify([...this.#accounts]);
  }

  /**
   * Each account is there exactly as it was; or it is refused, where `lenient`.
   * @returns how many are refused @throws when one is missing, older or different
   */
  async check(store: Store, lenient = false): Promise<number> {
    let refused = 0;
    for (const [account, { record, version }] of this.#accounts) {
      try {
        const found = await store.account(account);
        assert.equal(found.version, version, account);
        assert.deepEqual(found.value, record, account);
      } catch (error) {
        const { code } = error as { code?: string };
        if (!lenient || (code !== 'record-damaged' && code !== 'store-schema')) throw error;
        refused += 1;
      }
    }
    return refused;
  }
}
