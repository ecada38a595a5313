import type { Command } from 'commander';
import type { VerifyView } from '../../daemon/api/views.ts';
import { type Context, needed } from '../lib/context.ts';
import { exitStatus } from '../lib/errors.ts';

export function addVerify(program: Command, context: Context): void {
  program
    .command('verify <user>')
    .description(
      'Verify a code and consume it, as a login would; prompts, or reads the first line of standard input',
    )
    .action(async (user: string) => {
      const first = await answer(context, `Code of ${user}: `);
      let result = await context.client().verify(user, { answer: first });
      if (result.outcome === 'refused' && result.resync) {
        const ahead = ' The OTP device may be ahead: enter the next code to resynchronise it.';
        context.output.note(`${result.text}${result.reason === 'resync-required' ? '' : ahead}`);
        const next = await context.prompt.ask('Next code: ');
        if (next !== undefined && next !== '')
          result = await context.client().verify(user, { answer: next, previous: first });
      }
      tell(context, result);
    });
}

async function answer(context: Context, question: string): Promise<string> {
  const typed = await context.prompt.ask(question);
  return needed(typed === '' ? undefined : typed, 'no code on standard input; type one, or pipe one in');
}

function tell({ output, end }: Context, result: VerifyView): void {
  switch (result.outcome) {
    case 'accepted':
      output.prose(`accepted ${result.factor.kind} ${result.factor.id} ${result.factor.name}`);
      if (result.text !== undefined) output.note(result.text);
      return;
    case 'refused':
      output.line(`refused ${result.reason}`);
      output.note(result.text);
      end(exitStatus.refused);
      return;
  }
}
