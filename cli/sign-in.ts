import { userInfo } from 'node:os';
import { ControlError, createClient } from '../daemon/control/client.ts';
import type { SignInBody, SignInStep, SignInView } from '../daemon/control/sign-in-views.ts';
import { CliError } from './errors.ts';
import type { Output } from './output.ts';
import type { Prompt } from './prompt.ts';

/** What it leads to. */
export type SignedIn = Exclude<SignInStep, { kind: 'factor' }>;

/**
 * Asks the person for password and factor, as a login would.
 * @throws ControlError, CliError
 */
export async function signIn(
  socket: string,
  by: 'password' | 'uid',
  { prompt, output }: { readonly prompt: Prompt; readonly output: Output },
): Promise<SignedIn> {
  const client = createClient({ socket });
  const { username: user } = userInfo();
  let view: SignInView;
  if (by === 'password') {
    output.note('This needs your password, and a second factor if you have one.');
    const password = await secret(prompt, `Password of ${user}: `);
    view = await client.beginSignIn({ user, by, password } satisfies SignInBody);
  } else view = await client.beginSignIn({ user, by });
  while (view.step.kind === 'factor') {
    const { step, id } = view;
    if (step.text !== undefined) output.note(step.text);
    if (step.typed === undefined)
      throw new CliError('refused', 'nothing that can be typed will do here; use the portal, or sudo');
    const name = `${step.typed.charAt(0).toUpperCase()}${step.typed.slice(1)}`;
    const answer = await secret(prompt, `${name}: `);
    view = await client.answerSignIn(id, { kind: 'typed', answer });
  }
  return view.step;
}

/** A token for changes to one's own factors, asked for once in a command. */
export function tokenAsker(
  socket: string,
  tools: { readonly prompt: Prompt; readonly output: Output },
): () => Promise<string> {
  let asked: Promise<string> | undefined;
  return () => {
    asked ??= signIn(socket, 'password', tools).then((step) => {
      if (step.kind === 'done') return step.token.token;
      throw new ControlError('internal', 'the daemon gave a link for a password: a defect');
    });
    return asked;
  };
}

async function secret(prompt: Prompt, question: string): Promise<string> {
  const typed = await prompt.askSecret(question);
  if (typed === undefined || typed === '')
    throw new CliError(
      'usage',
      'there is nothing on standard input; type it, or pipe it in a line of its own',
    );
  return typed;
}
