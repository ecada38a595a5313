import { Command, CommanderError } from 'commander';
import { addAudit } from './commands/audit.ts';
import { addCompletion } from './commands/completion.ts';
import { addExplain } from './commands/explain.ts';
import { addFactor } from './commands/factor.ts';
import { addInit } from './commands/init.ts';
import { addInvite } from './commands/invite.ts';
import { addPortal } from './commands/portal.ts';
import { addRealm } from './commands/realm.ts';
import { addReload } from './commands/reload.ts';
import { addStatus } from './commands/status.ts';
import { addUser } from './commands/user.ts';
import { addVerify } from './commands/verify.ts';
import { type Context, createContext } from './context.ts';
import { exitStatus, exitStatusOf } from './errors.ts';
import { defaultConfigFile } from './socket.ts';
import type { World } from './world.ts';

/** The whole tree of commands: what runs, what --help and the manual page say, and what shells complete. */
export function programOf(world: World): {
  readonly program: Command;
  readonly context: Context;
  readonly status: () => number;
} {
  const program = new Command('sallyport');
  const { context, status } = createContext(world, program);
  configure(program, world);
  for (const add of [
    addInit,
    addStatus,
    addRealm,
    addUser,
    addFactor,
    addVerify,
    addExplain,
    addAudit,
    addInvite,
    addPortal,
    addReload,
    addCompletion,
  ])
    add(program, context);
  return { program, context, status };
}

/**
 * Runs one command line.
 * @param words what stands behind the program's name
 * @returns the exit status
 */
export async function run(words: readonly string[], world: World): Promise<number> {
  const { program, context, status } = programOf(world);
  try {
    await program.parseAsync(words, { from: 'user' });
    return status();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
    context.output.error(error instanceof Error ? error.message : String(error));
    return exitStatusOf(error);
  } finally {
    context.prompt.close();
  }
}

/** Before commands are added: they take these settings over. */
function configure(program: Command, world: World): void {
  program
    .description('The second factor of the logins on this machine')
    .version(world.version)
    .option('--config <file>', `the configuration, by default ${defaultConfigFile}`)
    .option('--link', 'where your password is needed, ask for a sign-in link in its place')
    .exitOverride()
    .showHelpAfterError('try: sallyport --help')
    .configureOutput({
      writeOut: (text) => void world.output.write(text),
      writeErr: (text) => void world.error.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'sallyport: ')),
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    });
}
