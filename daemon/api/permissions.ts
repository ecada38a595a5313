/** Who asks, what they may, and the rows that operations have in common. */

/** allow; session: a token is needed; token: one that is fresh; deny. */
export type Permission = 'allow' | 'session' | 'token' | 'deny';

/**
 * Who asks, seen from the account that the operation is about:
 * root: uid 0, or below `init --root` the daemon's own uid;
 * admin: a member of the admin group, about another account or about none;
 * adminOfRoot: the same, about an account of root's, or one that is gone and whose uid was not kept;
 * self: the account itself; other: anybody else; portal: the portal's uid; notify: that of sallyport-notify, which
 * follows events and does nothing else.
 */
export type CallerRole = 'root' | 'admin' | 'adminOfRoot' | 'self' | 'other' | 'portal' | 'notify';

export type Access = Readonly<Record<CallerRole, Permission>>;

export const read: Access = {
  root: 'allow',
  admin: 'allow',
  adminOfRoot: 'allow',
  self: 'allow',
  other: 'deny',
  portal: 'session',
  notify: 'deny',
};
/** Events as they come. */
export const follow: Access = { ...read, notify: 'allow' };
/** Only for the account itself: another reader could interfere with a login. */
export const own: Access = { ...read, admin: 'deny', adminOfRoot: 'deny' };
/** What is about no account has no self. */
export const readAll: Access = { ...read, self: 'deny' };
export const change: Access = {
  root: 'allow',
  admin: 'token',
  adminOfRoot: 'deny',
  self: 'token',
  other: 'deny',
  portal: 'token',
  notify: 'deny',
};
/** An administrator's change that no account makes for itself. */
export const administer: Access = { ...change, self: 'deny' };
/** What leads to a token, and what carries its own secret: the request itself is verified. */
export const anybody: Access = {
  root: 'allow',
  admin: 'allow',
  adminOfRoot: 'allow',
  self: 'allow',
  other: 'allow',
  portal: 'allow',
  notify: 'deny',
};
/** What only the pages of the portal have to do with. */
export const onlyPortal: Access = {
  ...anybody,
  admin: 'deny',
  adminOfRoot: 'deny',
  self: 'deny',
  other: 'deny',
};
export const onlyRoot: Access = {
  root: 'allow',
  admin: 'deny',
  adminOfRoot: 'deny',
  self: 'deny',
  other: 'deny',
  portal: 'deny',
  notify: 'deny',
};

/** Why only root changes the factors of root: the command and the portal use this text. */
export const rootFactorsText = 'only root can change the factors of root, at the machine';

/** One row of the table of what can be asked for (operations.ts). */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `:user`, `:realm` and `:factor` match one segment each. */
  readonly path: string;
  /** Whose account it is about: none, the one in the path, or the one in the query (absent: all). */
  readonly about: 'none' | 'path' | 'query';
  readonly what: string;
  readonly access: Access;
  /** A stricter case of the named operation: the same request, authorised a second time. */
  readonly within?: string;
}
