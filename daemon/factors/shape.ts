/**
 * What an answer looks like. One prompt takes every kind of answer; its shape alone tells which.
 * `text` is normalised: a code as typed, a recovery key in lower case without dashes and spaces.
 */
export type Shape =
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'recovery'; readonly text: string }
  | { readonly kind: 'yubikey'; readonly text: string }
  | { readonly kind: 'enter' }
  | { readonly kind: 'none' };

/** A shape found at the end of a password-and-code answer. */
export interface Tail {
  readonly shape: Shape;
  /** Bytes from the end of the answer that it takes up. */
  readonly length: number;
}
