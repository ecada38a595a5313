import assert from 'node:assert/strict';
import type { Store } from '../../daemon/store/contract.ts';
import { counterOf } from './store-records.ts';

/** What a writer told that it was told: the least that the store must hold. */
export class Acknowledged {
  readonly #counters = new Map<string, number>();
  #commits = 0;

  /** @param text whole and half lines "NAME COUNTER" */
  read(text: string): void {
    for (const [, account = '', counter] of text.matchAll(/^(user\d+) (\d+)$/gm)) {
      this.#counters.set(account, Math.max(this.#counters.get(account) ?? 0, Number(counter)));
      this.#commits += 1;
    }
  }

  get commits(): number {
    return this.#commits;
  }

  /** @param underWay commits per account that may be there without anybody having been told */
  async check(store: Store, underWay: number): Promise<void> {
    for (const [account, counter] of this.#counters) {
      const found = counterOf((await store.account(account)).value) ?? -1;
      const fits = found >= counter && found <= counter + underWay;
      assert.ok(fits, `${account}: ${found}, acknowledged ${counter}`);
      this.#counters.set(account, found);
    }
    await store.scrub();
    assert.deepEqual(store.health().scrub.findings, []);
  }
}
