import { Command, CommanderError } from 'commander';
import { addAudit } from './commands/audit.ts';
import { addBackup } from './commands/backup.ts';
import { addCompletion } from './commands/completion.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExplain } from './commands/explain.ts';
import { addExport } from './commands/export.ts';
import { addFactor } from './commands/factor.ts';
import { addImport } from './commands/import.ts';
import { addInit } from './commands/init.ts';
import { addInvite } from './commands/invite.ts';
import { addMasterKey } from './commands/master-key.ts';
import { addMetrics } from './commands/metrics.ts';
import { addPam } from './commands/pam.ts';
import { addPortal } from './commands/portal.ts';
import { addRealm } from './commands/realm.ts';
import { addReload } from './commands/reload.ts';
import { addReport } from './commands/report.ts';
import { addRestore } from './commands/restore.ts';
import { addStatus } from './commands/status.ts';
import { addStore } from './commands/store.ts';
import { addUser } from './commands/user.ts';
import { addVerify } from './commands/verify.ts';
import { columnsOf } from './lib/columns.ts';
import { type Context, createContext } from './lib/context.ts';
import type { World } from './lib/environment.ts';
import { exitStatus, exitStatusOf } from './lib/errors.ts';
import { foldingColumns, foldText } from './lib/fold.ts';
import { defaultConfigFile } from './lib/socket.ts';

/** The whole tree of commands: the source of execution, --help, the manual page and shell completion. */
export function programOf(world: World): {
  readonly program: Command;
  readonly context: Context;
  readonly status: () => number;
  readonly close: () => Promise<void>;
} {
  const program = new Command('sallyport');
  const { context, status, close } = createContext(world, program);
  configure(program, world);
  for (const add of [
    addInit,
    addStatus,
    addDoctor,
    addRealm,
    addUser,
    addFactor,
    addVerify,
    addExplain,
    addAudit,
    addMetrics,
    addInvite,
    addReport,
    addPortal,
    addPam,
    addReload,
    addBackup,
    addRestore,
    addStore,
    addMasterKey,
    addCompletion,
    addImport,
    addExport,
  ])
    add(program, context);
  nameHelp(program, program.name());
  return { program, context, status, close };
}

/**
 * Runs one command line.
 * @param words the arguments after the program's name
 * @returns the exit status
 */
export async function run(words: readonly string[], world: World): Promise<number> {
  const { program, context, status, close } = programOf(world);
  try {
    if (world.output.isTTY === true && hasNoCommand(program, words)) {
      // Loaded on demand: other commands do not need it, and it takes time to load.
      const { overview } = await import('./overview.ts');
      await overview(context);
      return status();
    }
    await program.parseAsync(words, { from: 'user' });
    return status();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
    context.output.error(error instanceof Error ? error.message : String(error));
    return exitStatusOf(error);
  } finally {
    context.prompt.close();
    await close();
  }
}

/** Whether the command line has no command and no option. */
function hasNoCommand(program: Command, words: readonly string[]): boolean {
  const { operands, unknown } = program.parseOptions([...words]);
  return operands.length === 0 && unknown.length === 0;
}

/** A usage error refers to the help of that command. */
function nameHelp(command: Command, path: string): void {
  command.showHelpAfterError(`try: ${path} --help`);
  for (const one of command.commands) nameHelp(one, `${path} ${one.name()}`);
}

/** Call before adding commands: they inherit these settings. */
function configure(program: Command, world: World): void {
  program
    .description('Manage second factors for logins on this machine')
    .version(world.version, '-V, --version', 'Show the version')
    .helpOption('-h, --help', 'Show help')
    .helpCommand('help [command]', 'Show help for a command')
    .option('--config <file>', `Configuration file (default: ${defaultConfigFile})`)
    .option('--link', 'Ask for a sign-in link instead of your password')
    .option('--offline', 'Open the store directly while sallyportd is stopped (root only)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void world.output.write(foldText(text, foldingColumns(world.output))),
      writeErr: (text) => void world.error.write(foldText(text, foldingColumns(world.error))),
      outputError: (text, write) => write(text.replace(/^error: /, 'sallyport: ')),
      getOutHelpWidth: () => helpWidth(world.output),
      getErrHelpWidth: () => helpWidth(world.error),
    });
}

/** Longer lines are hard to read. */
const widestHelp = 100;

/** A pipe gets the same text for every terminal width. */
function helpWidth(stream: World['output']): number {
  return stream.isTTY === true ? Math.min(columnsOf(stream), widestHelp) : widestHelp;
}
