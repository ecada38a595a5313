import { foldCommand, foldText } from '../lib/fold.ts';

/**
 * Next steps after a first factor.
 * @param cli the command that runs sallyport in the demo
 * @param columns width of the terminal; undefined if the output is not a terminal
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
Sign in to the portal with your password, or with a link from the second command:
  ${portal}
  ${cli} portal link
`;
  const text = `
Next steps, in another terminal. Create recovery keys in case you lose your phone:
  ${cli} factor add recovery ${user}
${signIn}
Show what happened, and what a login from elsewhere would be asked for:
  ${cli} audit --user ${user}
  ${cli} explain ${user} --service sshd --from 192.0.2.7

On a machine with the package installed (docs/how-to/install.md), protect the real sshd for ten minutes. The change is
rolled back unless a new login confirms it, so that no account is locked out (docs/how-to/roll-out.md):
  sallyport pam enable sshd --with password --try 10m

sallyportd runs until you press Ctrl-C.`;
  return foldText(text, columns, foldCommand);
}
