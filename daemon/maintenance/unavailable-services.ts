import type { CodeVerificationOptions } from '../verifier/verify-code.ts';

const nobody = (): never => {
  throw new Error('there is nobody to ask without a running sallyportd: a defect');
};

/** Security keys, validation servers and browsers are asked by a running daemon alone. */
export const unavailableServices: Pick<
  CodeVerificationOptions,
  'throttle' | 'validations' | 'assertions' | 'touches' | 'approvals' | 'unknownNames' | 'throttled'
> = {
  throttle: { allows: () => false, failed: nobody, forgive: nobody, size: 0 },
  validations: { needed: () => undefined, said: () => undefined },
  assertions: { of: nobody, needed: nobody },
  touches: { isPlugged: async () => false },
  approvals: { open: nobody },
  unknownNames: { add: nobody, flush: () => undefined },
  throttled: { add: nobody, flush: () => undefined },
};
