import type { Command } from 'commander';
import { writeOutput } from '../../daemon/lib/write-file.ts';
import type { Context } from '../lib/context.ts';
import { CliError, cannotWrite } from '../lib/errors.ts';

export function addMetrics(program: Command, context: Context): void {
  program
    .command('metrics')
    .description('figures for Prometheus, in its text format; docs/reference/metrics.md')
    .option('--output <file>', "write to FILE, replaced in one step, for node_exporter's textfile collector")
    .action(async (options: { output?: string }) => {
      const text = await context.client().metrics();
      if (options.output === undefined) context.world.output.write(text);
      else write(options.output, text);
    });
}

/** Who reads meanwhile has the old figures or the new ones, and never half of them. */
function write(path: string, text: string): void {
  try {
    // The collector takes only *.prom, so it never sees the file before it is whole.
    writeOutput(path, text, { mode: 0o644 });
  } catch (error) {
    throw new CliError('refused', `${cannotWrite(path, error)}; what was there is as it was`);
  }
}
