import type { Store } from '../store/contract.ts';
import type { Verifier } from '../verifier/contract.ts';
import type { Counts } from './counts.ts';

/** The same verifier and the same store, with the time that they take written down. */

const since = (began: number): number => (performance.now() - began) / 1_000;

export function measuredVerifier(verifier: Verifier, counts: Counts): Verifier {
  return {
    ...verifier,
    async open(facts, host) {
      const began = performance.now();
      try {
        return await verifier.open(facts, host);
      } finally {
        counts.opened(since(began));
      }
    },
    async answer(login, answer, ended) {
      const began = performance.now();
      counts.evaluating(1);
      try {
        return await verifier.answer(login, answer, ended);
      } finally {
        counts.evaluating(-1);
        counts.answered(since(began));
      }
    },
  };
}

export function instrumentStore(store: Store, counts: Counts): Store {
  return {
    account: (account) => store.account(account),
    token: (token) => store.token(token),
    async commit(commit) {
      const began = performance.now();
      counts.committing(1);
      try {
        const outcome = await store.commit(commit);
        counts.committed(since(began), outcome);
        return outcome;
      } catch (error) {
        counts.committed(since(began), 'failed');
        throw error;
      } finally {
        counts.committing(-1);
      }
    },
    accounts: (options) => store.accounts(options),
    events: (options) => store.events(options),
    search: (options) => store.search(options),
    checkTrail: (options) => store.checkTrail(options),
    follow: (listener) => store.follow(listener),
    health: () => store.health(),
    scrub: () => store.scrub(),
    pruneEvents: (options) => store.pruneEvents(options),
    close: () => store.close(),
  };
}
