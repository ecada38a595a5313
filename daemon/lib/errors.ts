/** Every error that Sallyport raises on purpose. `code` is stable; scripts and tests rely on it. */
export class SallyportError<Code extends string = string> extends Error {
  readonly code: Code;

  /** @param message for people: what happened, where, and what to do next; never holds a secret */
  constructor(code: Code, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'SallyportError';
    this.code = code;
  }
}

/** For the `default` of a switch over a union: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new SallyportError('unreachable', `a case is missing for ${JSON.stringify(value)}`);
}

/** The text of whatever was thrown, for logs and messages. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The stable code of whatever was thrown; `internal` for what we did not raise on purpose. */
export function codeOf(error: unknown): string {
  return error instanceof SallyportError ? error.code : 'internal';
}
