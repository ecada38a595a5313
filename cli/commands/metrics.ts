import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError, systemCode } from '../errors.ts';
import { replaceFile } from '../replace-file.ts';

export function addMetrics(program: Command, context: Context): void {
  program
    .command('metrics')
    .description('figures for Prometheus, in its text format; docs/metrics.md')
    .option('--output <file>', "put in place of FILE in one step, for node_exporter's textfile collector")
    .action(async (options: { output?: string }) => {
      const text = await context.client().metrics();
      if (options.output === undefined) context.world.output.write(text);
      else replace(options.output, text);
    });
}

/** Whoever reads meanwhile has the old figures or the new ones, and never half of them. */
function replace(path: string, text: string): void {
  try {
    // The collector takes *.prom alone, so it never sees this one.
    replaceFile(path, text, { temporary: `${path}.${process.pid}.new`, mode: 0o644 });
  } catch (error) {
    throw new CliError(
      'refused',
      `${path} cannot be written (${systemCode(error)}); what was there is as it was`,
    );
  }
}
