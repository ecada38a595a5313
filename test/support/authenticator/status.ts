/** The status bytes of CTAP2. */
export const status = {
  ok: 0x00,
  invalidCommand: 0x01,
  invalidParameter: 0x02,
  invalidLength: 0x03,
  unexpectedType: 0x11,
  invalidCbor: 0x12,
  missingParameter: 0x14,
  credentialExcluded: 0x19,
  unsupportedAlgorithm: 0x26,
  operationDenied: 0x27,
  keyStoreFull: 0x28,
  unsupportedOption: 0x2b,
  invalidOption: 0x2c,
  keepaliveCancel: 0x2d,
  noCredentials: 0x2e,
  userActionTimeout: 0x2f,
  notAllowed: 0x30,
  pinInvalid: 0x31,
  pinBlocked: 0x32,
  pinAuthInvalid: 0x33,
  pinAuthBlocked: 0x34,
  pinNotSet: 0x35,
  pinRequired: 0x36,
  pinPolicyViolation: 0x37,
  uvBlocked: 0x3c,
  uvInvalid: 0x3f,
  unauthorizedPermission: 0x40,
} as const;

export type Status = keyof typeof status;

/** Ends a CTAP2 command with a status. */
export class Refusal extends Error {
  readonly code: number;

  constructor(name: Status) {
    super(name);
    this.code = status[name];
  }
}
