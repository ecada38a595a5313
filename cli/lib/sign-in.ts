import { userInfo } from 'node:os';
import {
  parseLink,
  type SignInBody,
  type SignInStep,
  type SignInView,
} from '../../daemon/api/sign-in-views.ts';
import { type ControlClient, ControlError, createClient } from '../../daemon/client/client.ts';
import { CliError } from './errors.ts';
import type { Output } from './output.ts';
import type { Prompt } from './prompt.ts';

/** The result of a sign-in. */
export type SignedIn = Exclude<SignInStep, { kind: 'factor' }>;

interface Tools {
  readonly prompt: Prompt;
  readonly output: Output;
}

/**
 * Asks the user for password (or link) and factor, as a login would.
 * @throws ControlError, CliError
 */
export async function signIn(
  socket: string,
  by: SignInBody['by'],
  { prompt, output }: Tools,
): Promise<SignedIn> {
  const client = createClient({ socket });
  const { username: user } = userInfo();
  let view: SignInView;
  if (by === 'uid') view = await client.beginSignIn({ user, by });
  else if (by === 'link') view = await beginByLink(client, user, { prompt, output });
  else {
    output.note('This requires your password (with --link, a link), and a second factor if you have one.');
    const password = await secret(prompt, `Password of ${user}: `);
    view = await client.beginSignIn({ user, by, password });
  }
  for (let isRetry = false; view.step.kind === 'factor'; isRetry = true) {
    const { step, id } = view;
    if (step.text !== undefined) output.note(step.text);
    if (step.typed === undefined)
      throw new CliError('refused', 'none of your factors can be typed here; use the portal, or sudo');
    const name = `${step.typed.charAt(0).toUpperCase()}${step.typed.slice(1)}`;
    const answer = isRetry ? await nextAnswer(prompt, `${name}: `) : await secret(prompt, `${name}: `);
    view = await client.answerSignIn(id, { kind: 'typed', answer });
  }
  return view.step;
}

/** Some invites also require the password; the daemon says so before the link is used. */
async function beginByLink(
  client: ControlClient,
  user: string,
  { prompt, output }: Tools,
): Promise<SignInView> {
  output.note(
    'This requires a link (from "sallyport portal link" or an invite), and a second factor if you have one.',
  );
  const link = parseLink(await secret(prompt, 'Link: '));
  try {
    return await client.beginSignIn({ user, by: 'link', link });
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'password-needed') throw error;
    const password = await secret(prompt, `Password of ${user}: `);
    return client.beginSignIn({ user, by: 'link', link, password });
  }
}

/** Obtains an access token for changes to the caller's own factors, once per command. */
export function tokenAsker(socket: string, by: 'password' | 'link', tools: Tools): () => Promise<string> {
  let asked: Promise<string> | undefined;
  return () => {
    asked ??= signIn(socket, by, tools).then((step) => {
      if (step.kind === 'done') return step.token.token;
      throw new ControlError(
        'internal',
        'internal error: sallyportd returned a link, not an access token; please report this',
      );
    });
    return asked;
  };
}

/** Without a next answer the refusal is final: a script has no further input. */
async function nextAnswer(prompt: Prompt, question: string): Promise<string> {
  const typed = await prompt.askSecret(question);
  if (typed !== undefined && typed !== '') return typed;
  throw new CliError(
    'factor-refused',
    'the second factor was refused, and no further answer was given; nothing was changed',
  );
}

async function secret(prompt: Prompt, question: string): Promise<string> {
  const typed = await prompt.askSecret(question);
  if (typed === undefined || typed === '')
    throw new CliError('usage', 'no answer on standard input; type it, or pipe it in on a separate line');
  return typed;
}
