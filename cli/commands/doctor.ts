import type { Command } from 'commander';
import type { Context } from '../lib/context.ts';
import { exitStatus } from '../lib/errors.ts';

interface DoctorOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export function addDoctor(program: Command, context: Context): void {
  program
    .command('doctor')
    .description('Check for lockouts and ways around the second factor')
    .option('--json', 'Print JSON')
    .option('--verbose', 'Also show passed checks')
    .addHelpText(
      'after',
      '\nChanges nothing. Exit status: 1 if there is a lockout or a way around the second factor, else 0.',
    )
    .action(async (options: DoctorOptions) => {
      // Loaded on demand: only this command needs the configuration parser and its dependencies.
      const { checks, examine, worst } = await import('../doctor/examine.ts');
      const { thisMachine } = await import('../doctor/machine.ts');
      const { asJson, tell } = await import('../doctor/report.ts');
      const { world, output } = context;
      const progress = progressOn(world.error, checks.length);
      const examined = await examine(thisMachine(world, context.configFile()), checks, progress.step);
      progress.end();
      if (options.json === true) output.json(asJson(examined, world.version, world.now()), { at: 'time' });
      else tell(output, examined, options.verbose === true);
      context.end(worst(examined) === 'error' ? exitStatus.refused : exitStatus.done);
    });
}

/** Shows progress on a terminal only. */
function progressOn(error: Context['world']['error'], all: number) {
  let ended = 0;
  const say = (text: string) => error.isTTY === true && error.write(`\r\x1b[K${text}`);
  return {
    step: () => {
      ended += 1;
      say(`${ended} of ${all} checks`);
    },
    end: () => say(''),
  };
}
