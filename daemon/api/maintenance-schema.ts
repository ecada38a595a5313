import * as v from 'valibot';
import { SallyportError } from '../lib/errors.ts';

const backupBody = v.strictObject({ withMasterKey: v.boolean() });

export interface BackupBody {
  readonly withMasterKey: boolean;
}

/** @throws SallyportError bad-request */
export function readBackupBody(input: unknown): BackupBody {
  const result = v.safeParse(backupBody, input);
  if (result.success) return result.output;
  throw new SallyportError('bad-request', 'a backup is asked for with {"withMasterKey": true or false}');
}
