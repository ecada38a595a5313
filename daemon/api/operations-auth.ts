import { anybody, type Operation, onlyPortal, own } from './permissions.ts';

/** Signing in, and approving logins. */
export const peopleOperations = {
  'sign-in-begin': {
    method: 'POST',
    path: '/v1/sign-ins',
    about: 'none',
    what: 'Start exchanging a password, a link or a uid, and a factor, for a token',
    access: anybody,
  },
  'sign-in-answer': {
    method: 'POST',
    path: '/v1/sign-ins/:signin',
    about: 'none',
    what: 'Answer with a factor',
    access: anybody,
  },
  'token-end': {
    method: 'DELETE',
    path: '/v1/tokens',
    about: 'none',
    what: 'Revoke the token of the request',
    access: anybody,
  },
  'approval-show': {
    method: 'GET',
    path: '/v1/approvals/:approval',
    about: 'none',
    what: 'Show a login that waits for approval',
    access: onlyPortal,
  },
  'approval-answer': {
    method: 'POST',
    path: '/v1/approvals/:approval',
    about: 'none',
    what: 'Approve it with a security key',
    access: onlyPortal,
  },
  'approval-deny': {
    method: 'POST',
    path: '/v1/approvals/:approval/deny',
    about: 'none',
    what: 'Deny it',
    access: onlyPortal,
  },
  'approval-follow': {
    method: 'GET',
    path: '/v1/users/:user/approvals/follow',
    about: 'path',
    what: 'Follow the logins of an account that wait for approval, one JSON object per line',
    access: own,
  },
} as const satisfies Record<string, Operation>;
