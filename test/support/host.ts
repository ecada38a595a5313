import assert from 'node:assert/strict';
import type { HostFacts } from '../../daemon/host/contract.ts';
import { FakeKeys } from './fake-keys.ts';

/** A host that answers as a test says, and otherwise has no accounts, no local sessions and no keys. */
export function hostWith(part: Partial<HostFacts> = {}): HostFacts {
  return {
    id: '',
    name: 'this-machine',
    bootId: 'boot',
    accounts: { byName: async () => ({ status: 'absent' }), byUid: async () => ({ status: 'absent' }) },
    sessionIsLocal: async () => false,
    securityKeys: new FakeKeys(),
    passwords: {
      check: () => assert.fail('no password is asked for'),
      lacksPassword: () => assert.fail('no password is asked for'),
    },
    ...part,
  };
}
