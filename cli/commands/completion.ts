import { Argument, type Command } from 'commander';
import { candidates } from '../completion/candidates.ts';
import { knownBy } from '../completion/known.ts';
import { pathsWanted, type Shell, scriptFor, shells } from '../completion/scripts.ts';
import type { Context } from '../lib/context.ts';
import { controlSocket } from '../lib/socket.ts';

export function addCompletion(program: Command, context: Context): void {
  program
    .command('completion')
    .description('Print a shell script that completes commands, accounts and factor names')
    .addArgument(new Argument('<shell>', 'Shell').choices(shells))
    .addHelpText(
      'after',
      `
bash:  sallyport completion bash > /etc/bash_completion.d/sallyport
zsh:   sallyport completion zsh > /usr/local/share/zsh/site-functions/_sallyport
fish:  sallyport completion fish > /etc/fish/completions/sallyport.fish`,
    )
    .action((shell: Shell) => void context.world.output.write(scriptFor(shell)));
  program
    .command('complete [words...]', { hidden: true })
    .description('Print candidates at the cursor, for the scripts of `completion`')
    .option('--current <word>', 'The typed part of the word at the cursor', '')
    .action(async (words: string[], { current }: { current: string }) => {
      const known = knownBy(() => controlSocket(context.configFile()));
      const found = await candidates(program, words, current, known);
      if (found.kind === 'paths') context.output.line(pathsWanted);
      // Line feed and tab delimit the candidates: a name that contains them is left out.
      else
        for (const { word, about } of found.words)
          if (!/[\p{Cc}]/u.test(word)) context.world.output.write(`${word}\t${about.replace(/\s+/g, ' ')}\n`);
    });
}
