import { anybody, type Operation, onlyPortal, own } from './permissions.ts';

/** Proving who somebody is, and letting a login in that waits. */
export const peopleOperations = {
  'sign-in-begin': {
    method: 'POST',
    path: '/v1/sign-ins',
    about: 'none',
    what: 'Begins to turn a password, a link or a uid, and a factor, into a token',
    access: anybody,
  },
  'sign-in-answer': {
    method: 'POST',
    path: '/v1/sign-ins/:signin',
    about: 'none',
    what: 'Answers with a factor',
    access: anybody,
  },
  'token-end': {
    method: 'DELETE',
    path: '/v1/tokens',
    about: 'none',
    what: 'Ends the token that comes with it',
    access: anybody,
  },
  'approval-show': {
    method: 'GET',
    path: '/v1/approvals/:approval',
    about: 'none',
    what: 'What a login that waits for an approval is about',
    access: onlyPortal,
  },
  'approval-answer': {
    method: 'POST',
    path: '/v1/approvals/:approval',
    about: 'none',
    what: 'Approves it with a security key',
    access: onlyPortal,
  },
  'approval-deny': {
    method: 'POST',
    path: '/v1/approvals/:approval/deny',
    about: 'none',
    what: 'Denies it',
    access: onlyPortal,
  },
  'approval-follow': {
    method: 'GET',
    path: '/v1/users/:user/approvals/follow',
    about: 'path',
    what: 'The logins of one account that wait for an approval, as they come, one JSON object a line',
    access: own,
  },
} as const satisfies Record<string, Operation>;
