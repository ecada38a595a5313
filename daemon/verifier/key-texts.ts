import type { FidoEvent, FidoReason } from '../host/contract.ts';
import { unreachable } from '../lib/errors.ts';
import { pluralise } from '../lib/units.ts';

/** The texts of a login in which a security key may answer. As in prompt-texts.ts, they hold no escape sequences. */

/**
 * The prompt where a security key may answer too.
 * @param how touch: it blinks, and a touch is enough; touch-and-enter: it blinks, and the program needs Enter too;
 *   enter: it blinks after Enter
 */
export function keyPrompt(
  how: 'touch' | 'touch-and-enter' | 'enter' | 'approve' | 'approve-and-enter',
  typed: string | undefined,
): string {
  const asked = {
    touch: 'Touch your security key',
    'touch-and-enter': 'Touch your security key and press Enter',
    enter: 'Press Enter to use your security key',
    approve: 'Waiting for your approval',
    'approve-and-enter': 'Press Enter once it is approved',
  }[how];
  return typed === undefined ? `${asked}: ` : `${asked}, or type a ${typed}: `;
}

/** Instructions for a security key. */
export function touchText(what: 'touch' | 'insert' | 'approve'): string {
  switch (what) {
    case 'touch':
      return 'Touch your security key.';
    case 'insert':
      return 'Plug in your security key.';
    case 'approve':
      return 'Waiting for your approval in the browser.';
    default:
      return unreachable(what);
  }
}

/** What to open, and the number to compare there. Contains the link: shown only to the user. */
export function approvalText(link: string, number: string): string {
  return `To use a security key, open ${link}\nand compare the number: ${number}`;
}

/** Without the link, which might reach a log: the portal shows the login to the user who is signed in there. */
export function approvalTextWithoutLink(portal: string, number: string): string {
  return `Open ${portal} and approve this login. Number: ${number}`;
}

export function pinPrompt({ why, retries }: Extract<FidoEvent, { kind: 'pin' }>): string {
  const wrong = why === 'wrong' ? 'That PIN was wrong. ' : '';
  const left = retries === undefined ? '' : `${pluralise(retries, 'attempt')} left before the key locks. `;
  return `${wrong}${left}PIN of your security key: `;
}

/** Why a security key did not answer, for the user in front of it. */
export function keyFailureText(reason: FidoReason): string {
  switch (reason) {
    case 'no-touch':
      return 'The security key was not touched in time.';
    case 'no-key':
      return 'No security key was plugged in.';
    case 'wrong-key':
      return 'That security key is not one of yours here.';
    case 'excluded':
      return 'That security key is already enrolled.';
    case 'no-pin':
      return 'A PIN or fingerprint is required here, and that security key has neither set up.';
    case 'pin-blocked':
      return 'The PIN of that security key is blocked. Pull the key out and plug it in again; if that does not help, it has to be reset.';
    case 'unsupported':
      return 'That security key does not support what is required here.';
    case 'key-full':
      return 'That security key is full. Remove a passkey from it first.';
    case 'key-failed':
      return 'The security key was pulled out, or does not answer correctly.';
    case 'denied':
      return 'This login was denied.';
    case 'cancelled':
      return 'The security key request was cancelled.';
    case 'helper-failed':
      return 'Security keys are unavailable on this machine right now. Ask your administrator to check the log.';
    default:
      return unreachable(reason);
  }
}
