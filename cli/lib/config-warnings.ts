import type { RealmsLookedAt } from '../doctor/configured.ts';
import { findingText } from '../doctor/contract.ts';
import type { Context } from './context.ts';

/**
 * Warns of what a configuration file names and this machine does not have. A bad file has been named by sallyportd, or
 * will be. The parser and the checks are loaded only here.
 */
export async function warnOfConfig(context: Context, file: string): Promise<RealmsLookedAt> {
  const { thisMachine } = await import('../doctor/machine.ts');
  const { lookAtConfig } = await import('../doctor/configured.ts');
  const machine = thisMachine(context.world, file);
  const read = await machine.config();
  if (read.kind !== 'good') return { findings: [], refusing: [] };
  const looked = await lookAtConfig(machine, read.config);
  for (const one of looked.findings) context.output.warn(findingText(one));
  return looked;
}
