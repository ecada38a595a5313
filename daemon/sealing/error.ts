import { SallyportError } from '../lib/errors.ts';

export type StoreError = SallyportError<StoreErrorCode>;

/** @param message what is lost or wrong, whether anything was changed, and what to do next */
export function storeError(code: StoreErrorCode, message: string, cause?: unknown): StoreError {
  return new SallyportError(code, message, cause === undefined ? undefined : { cause });
}

/** Whether something thrown is one of the store's own errors with this code. */
export function isStoreError(error: unknown, code: StoreErrorCode): error is StoreError {
  return error instanceof SallyportError && error.code === code;
}

/** The code of a system error ("ENOENT"), of the error itself or of what caused it. */
export function systemCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string' && /^E[A-Z0-9]+$/.test(at.code)) return at.code;
  }
  return undefined;
}

/** For damage that was found before anything was written. */
export function storeDamaged(directory: string, what: string, cause?: unknown): StoreError {
  return storeError(
    'store-damaged',
    `The store ${directory} is damaged: ${what}. Nothing was changed. Restore the store together with its anchor from a backup.`,
    cause,
  );
}

export type StoreErrorCode =
  | 'store-missing'
  | 'store-exists'
  | 'store-damaged'
  | 'store-locked'
  | 'store-anchor'
  | 'store-key'
  | 'store-unwritable'
  | 'store-unreadable'
  | 'store-schema'
  | 'record-damaged'
  | 'store-closed';
