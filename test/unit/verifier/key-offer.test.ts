import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { createAssertions } from '../../../daemon/authenticators/assertions.ts';
import { limits } from '../../../daemon/limits.ts';
import { keyOptionFor, type OfferOptions } from '../../../daemon/verifier/key-offer.ts';
import { softKey } from '../../support/soft-keys.ts';

type Parameters4 = Parameters<typeof keyOptionFor>;

const silent = (): void => undefined;

describe('the library for security keys', () => {
  it('is loaded once, a moment after the first key was offered', () => {
    const key = softKey().record;
    let loads = 0;
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const log = { info: silent, warning: silent, error: silent };
      const assertions = createAssertions(log, undefined, async () => {
        loads += 1;
        throw new Error('as if it were not there');
      });
      const offer = async (factors: Parameters4[0]['factors']): Promise<void> => {
        const options = {
          assertions,
          keyRequests: { isPlugged: async () => false },
          approvals: { open: () => assert.fail('no browser is asked') },
          config: () => ({}),
        } as unknown as OfferOptions;
        const login = { facts: { browser: true } } as unknown as Parameters4[2];
        await keyOptionFor({ factors, codesLocked: false }, {} as Parameters4[1], login, options);
      };
      void offer([]);
      mock.timers.tick(limits.keyLibraryDelay);
      assert.equal(loads, 0, 'no key, no library');
      void offer([key]);
      assert.equal(loads, 0, 'the prompt leaves first');
      mock.timers.tick(limits.keyLibraryDelay);
      assert.equal(loads, 1);
      void offer([key]);
      mock.timers.tick(limits.keyLibraryDelay);
      assert.equal(loads, 1);
    } finally {
      mock.timers.reset();
    }
  });
});
