import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';

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
  // The collector takes *.prom alone, so it never sees this one.
  const fresh = `${path}.${process.pid}.new`;
  try {
    const file = openSync(fresh, 'wx', 0o644);
    try {
      writeFileSync(file, text);
      fchmodSync(file, 0o644);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError('refused', `${path} cannot be written (${why}); what was there is as it was`);
  }
}
