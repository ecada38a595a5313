import { foldCommand, foldText } from '../lib/fold.ts';

/**
 * What comes after a first factor, in the order in which people want it.
 * @param cli the command with which sallyport is called here
 * @param columns of the terminal; undefined: it is none
 */
export function lastWords(
  cli: string,
  user: string,
  portal: string | undefined,
  columns: number | undefined,
): string {
  const signIn =
    portal === undefined
      ? ''
      : `
In the portal, with your password or with a link that this prints:
  ${portal}
  ${cli} portal link
`;
  const text = `
What is next, in another terminal. Recovery keys, for a day without your phone:
  ${cli} factor add recovery ${user}
${signIn}
What happened, and what a login from elsewhere would be asked for:
  ${cli} audit --user ${user}
  ${cli} explain ${user} --service sshd --from 192.0.2.7

On a machine of your own, with the package installed (docs/how-to/install.md): a real sshd, for ten minutes. The change
goes back by itself unless a new login has confirmed it, so that nobody is locked out (docs/how-to/roll-out.md):
  sallyport pam enable sshd --with password --try 10m

sallyportd stays up until you press Ctrl-C.`;
  return foldText(text, columns, foldCommand);
}
