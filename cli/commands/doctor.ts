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
    .description('look over the whole machine: who would be locked out, who let in, and what mends it')
    .option('--json', 'as JSON')
    .option('--verbose', 'say too what is good')
    .addHelpText(
      'after',
      '\nIt changes nothing. Exit status: 1 when something locks somebody out or lets somebody in, else 0.',
    )
    .action(async (options: DoctorOptions) => {
      // Only this command needs the parser of the configuration and all that hangs on it.
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

/** For people: a terminal alone shows how far it is. */
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
