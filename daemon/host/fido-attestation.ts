import type { HelperFrame } from '../protocol/fido.ts';

/** The header of a CBOR item (RFC 8949, 3), its length in the fewest bytes. */
function header(major: number, length: number): Buffer {
  const type = major << 5;
  if (length < 24) return Buffer.from([type | length]);
  if (length < 256) return Buffer.from([type | 24, length]);
  return Buffer.from([type | 25, length >> 8, length & 0xff]);
}

const text = (value: string) => {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([header(3, bytes.length), bytes]);
};

/**
 * The attestation object of Web Authentication, 6.5: CBOR of {"fmt", "attStmt", "authData"}, in the order that
 * CTAP calls canonical. The statement is CBOR already and stays as it is.
 */
export function attestationObject(made: Extract<HelperFrame, { readonly type: 'made' }>): Buffer {
  return Buffer.concat([
    header(5, 3),
    text('fmt'),
    text(made.format),
    text('attStmt'),
    made.statement,
    text('authData'),
    header(2, made.authenticatorData.length),
    made.authenticatorData,
  ]);
}
