/**
 * What can be done over control.sock, and who may do it: one table, one cell for each caller.
 *
 * What MUST hold:
 * - what is not said to be allowed is denied; a caller is exactly one of the columns;
 * - whoever is not root needs a token for every change;
 * - only root changes what belongs to root, lets a factor in unproven, and reloads;
 * - the portal does nothing of its own: it shows a person's token, and that person's cell decides.
 */

/** allow; token: a change token is needed; deny. */
export type Cell = 'allow' | 'token' | 'deny';

/**
 * Who asks, seen from the account that the operation is about:
 * root: uid 0, or below `init --root` the daemon's own uid;
 * admin: a member of the admin group, about another account or about none;
 * adminOfRoot: the same, about an account of root's, or one whose uid nobody knows;
 * self: the account itself; other: anybody else; portal: the portal's uid.
 */
export type Relation = 'root' | 'admin' | 'adminOfRoot' | 'self' | 'other' | 'portal';

export type Access = Readonly<Record<Relation, Cell>>;

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

const read: Access = {
  root: 'allow',
  admin: 'allow',
  adminOfRoot: 'allow',
  self: 'allow',
  other: 'deny',
  portal: 'token',
};
/** What is about no account has no self. */
const readAll: Access = { ...read, self: 'deny' };
const change: Access = {
  root: 'allow',
  admin: 'token',
  adminOfRoot: 'deny',
  self: 'token',
  other: 'deny',
  portal: 'token',
};
/** An admin's change that nobody makes for themselves. */
const administer: Access = { ...change, self: 'deny' };
const rootAlone: Access = {
  root: 'allow',
  admin: 'deny',
  adminOfRoot: 'deny',
  self: 'deny',
  other: 'deny',
  portal: 'deny',
};

export const operations = {
  status: {
    method: 'GET',
    path: '/v1/status',
    about: 'none',
    what: 'How the daemon, its store and its configuration are',
    access: readAll,
  },
  reload: {
    method: 'POST',
    path: '/v1/reload',
    about: 'none',
    what: 'Reads the configuration again; a bad one changes nothing',
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
  'audit-follow': {
    method: 'GET',
    path: '/v1/audit/follow',
    about: 'query',
    what: 'The audit trail as it grows, one JSON object a line',
    access: read,
  },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;

export function operation(name: OperationName): Operation {
  return operations[name];
}

export const operationNames = Object.keys(operations) as readonly OperationName[];
