import {
  type Access,
  administer,
  anybody,
  change,
  follow,
  own,
  portalAlone,
  read,
  readAll,
  rootAlone,
} from './rights.ts';

export type { Access, Cell, Relation } from './rights.ts';

/**
 * What can be done over control.sock, and who may do it: one table, one cell for each caller.
 *
 * What MUST hold:
 * - what is not said to be allowed is denied; a caller is exactly one of the columns;
 * - whoever is not root needs a token for every change;
 * - only root changes what belongs to root, lets a factor in unproven, moves accounts in or out, and reloads;
 * - the portal does nothing of its own: it shows a person's token, and that person's cell decides;
 * - whoever runs programs for events follows them, and may nothing else.
 */

interface Operation {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `:user`, `:realm` and `:factor` stand for one segment each. */
  readonly path: string;
  /** Whose account it is about: none, the one in the path, or the one in the query (absent: all). */
  readonly about: 'none' | 'path' | 'query';
  readonly what: string;
  readonly access: Access;
  /** A stricter case of the named operation: the same request, judged a second time. */
  readonly within?: string;
}

export const operations = {
  status: {
    method: 'GET',
    path: '/v1/status',
    about: 'none',
    what: 'How the daemon, its store and its configuration are',
    access: readAll,
  },
  metrics: {
    method: 'GET',
    path: '/v1/metrics',
    about: 'none',
    what: 'Figures for Prometheus, as text',
    access: readAll,
  },
  reload: {
    method: 'POST',
    path: '/v1/reload',
    about: 'none',
    what: 'Reads the configuration again; a bad one changes nothing',
    access: rootAlone,
  },
  backup: {
    method: 'POST',
    path: '/v1/backup',
    about: 'none',
    what: 'Everything in the store as it is now, still sealed; with the master key, if that is asked for',
    access: rootAlone,
  },
  'store-check': {
    method: 'POST',
    path: '/v1/store/check',
    about: 'none',
    what: 'Begins to read everything in the store; status says how far it came and what it found',
    access: rootAlone,
  },
  'keys-adopt': {
    method: 'POST',
    path: '/v1/keys/adopt',
    about: 'none',
    what: 'Reads the master key file again, and seals everything with its first key',
    access: rootAlone,
  },
  'realm-list': {
    method: 'GET',
    path: '/v1/realms',
    about: 'none',
    what: 'The realms in force, in their order',
    access: readAll,
  },
  'realm-show': {
    method: 'GET',
    path: '/v1/realms/:realm',
    about: 'none',
    what: 'One realm with its rules',
    access: readAll,
  },
  report: {
    method: 'POST',
    path: '/v1/report',
    about: 'none',
    what: 'What each of the accounts named in the request would meet if its realm asked; changes nothing',
    access: readAll,
  },
  'user-list': {
    method: 'GET',
    path: '/v1/users',
    about: 'none',
    what: 'The accounts that the store knows',
    access: readAll,
  },
  'user-show': {
    method: 'GET',
    path: '/v1/users/:user',
    about: 'path',
    what: 'Realm, factors, locks and last login of one account',
    access: read,
  },
  'user-unlock': {
    method: 'POST',
    path: '/v1/users/:user/unlock',
    about: 'path',
    what: 'Lifts both locks, sets both counts to 0, ends what is remembered',
    access: administer,
  },
  'user-exempt': {
    method: 'POST',
    path: '/v1/users/:user/exemption',
    about: 'path',
    what: 'Lets an account off the second factor until a date',
    access: administer,
  },
  'user-exempt-end': {
    method: 'DELETE',
    path: '/v1/users/:user/exemption',
    about: 'path',
    what: 'Ends that',
    access: administer,
  },
  'factor-list': {
    method: 'GET',
    path: '/v1/users/:user/factors',
    about: 'path',
    what: 'The factors of one account',
    access: read,
  },
  'factor-add': {
    method: 'POST',
    path: '/v1/users/:user/factors',
    about: 'path',
    what: 'Adds a factor that a current code proves, or a recovery set',
    access: change,
  },
  'factor-add-unproven': {
    method: 'POST',
    path: '/v1/users/:user/factors',
    about: 'path',
    what: 'Adds a factor without a code',
    access: rootAlone,
    within: 'factor-add',
  },
  'ceremony-begin': {
    method: 'POST',
    path: '/v1/users/:user/ceremonies',
    about: 'path',
    what: 'Begins to add a security key that is plugged into this machine: the keys blink',
    access: change,
  },
  'ceremony-next': {
    method: 'POST',
    path: '/v1/users/:user/ceremonies/:ceremony',
    about: 'path',
    what: 'Waits for the next step of that, and passes on the PIN of the key',
    access: change,
  },
  'ceremony-cancel': {
    method: 'DELETE',
    path: '/v1/users/:user/ceremonies/:ceremony',
    about: 'path',
    what: 'Ends it: the keys stop blinking',
    access: change,
  },
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
  'key-begin': {
    method: 'POST',
    path: '/v1/users/:user/keys',
    about: 'path',
    what: 'What a browser is to ask a new security key for',
    access: change,
  },
  'key-finish': {
    method: 'POST',
    path: '/v1/users/:user/keys/:key',
    about: 'path',
    what: 'Adds the security key that answered',
    access: change,
  },
  'approval-show': {
    method: 'GET',
    path: '/v1/approvals/:approval',
    about: 'none',
    what: 'What a login that waits for an approval is about',
    access: portalAlone,
  },
  'approval-answer': {
    method: 'POST',
    path: '/v1/approvals/:approval',
    about: 'none',
    what: 'Approves it with a security key',
    access: portalAlone,
  },
  'approval-deny': {
    method: 'POST',
    path: '/v1/approvals/:approval/deny',
    about: 'none',
    what: 'Denies it',
    access: portalAlone,
  },
  'approval-follow': {
    method: 'GET',
    path: '/v1/users/:user/approvals/follow',
    about: 'path',
    what: 'The logins of one account that wait for an approval, as they come, one JSON object a line',
    access: own,
  },
  'user-invite': {
    method: 'POST',
    path: '/v1/users/:user/invite',
    about: 'path',
    what: 'Makes a link with which a new user adds a first factor',
    access: administer,
  },
  'bypass-give': {
    method: 'POST',
    path: '/v1/users/:user/bypass',
    about: 'path',
    what: 'Gives a code for one login of another',
    access: administer,
  },
  'factor-rename': {
    method: 'POST',
    path: '/v1/users/:user/factors/:factor/rename',
    about: 'path',
    what: 'Gives a factor another name',
    access: change,
  },
  'factor-enable': {
    method: 'POST',
    path: '/v1/users/:user/factors/:factor/enable',
    about: 'path',
    what: 'Puts a factor back into use',
    access: change,
  },
  'factor-disable': {
    method: 'POST',
    path: '/v1/users/:user/factors/:factor/disable',
    about: 'path',
    what: 'Puts a factor out of use and keeps it',
    access: change,
  },
  'factor-remove': {
    method: 'DELETE',
    path: '/v1/users/:user/factors/:factor',
    about: 'path',
    what: 'Removes a factor for good',
    access: change,
  },
  verify: {
    method: 'POST',
    path: '/v1/users/:user/verify',
    about: 'path',
    what: 'Spends a code as a login would, and counts as one',
    access: change,
  },
  import: {
    method: 'POST',
    path: '/v1/import',
    about: 'none',
    what: 'Takes accounts over from another system, with what is spent of their factors',
    access: rootAlone,
  },
  export: {
    method: 'POST',
    path: '/v1/export',
    about: 'none',
    what: 'Hands out the secrets of accounts, for another system',
    access: rootAlone,
  },
  explain: {
    method: 'GET',
    path: '/v1/users/:user/explain',
    about: 'path',
    what: 'What a login would meet, and the line of the configuration that says so',
    access: read,
  },
  'audit-read': {
    method: 'GET',
    path: '/v1/audit',
    about: 'query',
    what: 'The audit trail, newest first',
    access: read,
  },
  'audit-verify': {
    method: 'GET',
    path: '/v1/audit/verify',
    about: 'none',
    what: 'Whether each event of the trail follows on the one before, a stretch at a time',
    access: readAll,
  },
  'audit-follow': {
    method: 'GET',
    path: '/v1/audit/follow',
    about: 'query',
    what: 'The audit trail as it grows, one JSON object a line',
    access: follow,
  },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;

export function operation(name: OperationName): Operation {
  return operations[name];
}

export const operationNames = Object.keys(operations) as readonly OperationName[];
