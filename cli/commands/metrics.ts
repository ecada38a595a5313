import type { Command } from 'commander';
import { writeOutput } from '../../daemon/lib/write-file.ts';
import type { Context } from '../lib/context.ts';
import { CliError, cannotWrite } from '../lib/errors.ts';

export function addMetrics(program: Command, context: Context): void {
  program
    .command('metrics')
    .description('Print metrics in the Prometheus text format (docs/reference/metrics.md)')
    .option('--output <file>', "Replace FILE atomically, for node_exporter's textfile collector")
    .action(async (options: { output?: string }) => {
      const text = await context.client().metrics();
      if (options.output === undefined) context.world.output.write(text);
      else write(options.output, text);
    });
}

/** A concurrent reader sees the old file or the new one, never a part. */
function write(path: string, text: string): void {
  try {
    // The collector reads only *.prom, so it never sees the incomplete file.
    writeOutput(path, text, { mode: 0o644 });
  } catch (error) {
    throw new CliError('refused', `${cannotWrite(path, error)}; the file is unchanged`);
  }
}
