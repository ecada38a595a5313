import type { Log } from '../log.ts';
import type { FidoFailure, FidoHelper } from './contract.ts';

export interface FidoHelperOptions {
  readonly where: { readonly program: string } | { readonly socket: string };
  readonly log: Log;
}

export function createFidoHelper(_options: FidoHelperOptions): FidoHelper {
  const failed: FidoFailure = { kind: 'failed', reason: 'helper-failed', detail: 'not in this version yet' };
  const call = {
    outcome: Promise.resolve(failed),
    pin: (pin: Buffer) => void pin.fill(0),
    cancel: () => undefined,
  };
  return { list: async () => [], make: () => call, assert: () => call };
}
