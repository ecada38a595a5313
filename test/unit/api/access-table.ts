import type { CallerRole, OperationName, Permission } from '../../../daemon/api/operations.ts';

/**
 * Permissions, written a second time from the design and independent of the active table: root all; others need a token
 * for every change, administrators for others' factors except root's; reading others' data takes the admin group; the
 * portal acts only with a user's token; sallyport-notify only follows events. A = allow, s = any token, t = a fresh
 * one,
 * - = deny.
 */
const written = `
                      root  admin  adminOfRoot  self  other  portal  notify
status                A     A      A            -     -      s      -
metrics               A     A      A            -     -      s      -
reload                A     -      -            -     -      -      -
portal-settings       A     -      -            -     -      A      -
backup                A     -      -            -     -      -      -
store-check           A     -      -            -     -      -      -
keys-adopt            A     -      -            -     -      -      -
realm-list            A     A      A            -     -      s      -
realm-show            A     A      A            -     -      s      -
report                A     A      A            -     -      s      -
user-list             A     A      A            -     -      s      -
user-show             A     A      A            A     -      s      -
user-forget           A     t      -            -     -      t      -
user-move             A     t      -            -     -      t      -
user-unlock           A     t      -            -     -      t      -
user-exempt           A     t      -            -     -      t      -
user-exempt-end       A     t      -            -     -      t      -
factor-list           A     A      A            A     -      s      -
factor-add            A     t      -            t     -      t      -
factor-add-unverified A     -      -            -     -      -      -
ceremony-begin        A     t      -            t     -      t      -
ceremony-next         A     t      -            t     -      t      -
ceremony-cancel       A     t      -            t     -      t      -
sign-in-begin         A     A      A            A     A      A      -
sign-in-answer        A     A      A            A     A      A      -
token-end             A     A      A            A     A      A      -
key-begin             A     t      -            t     -      t      -
key-finish            A     t      -            t     -      t      -
approval-show         A     -      -            -     -      A      -
approval-answer       A     -      -            -     -      A      -
approval-deny         A     -      -            -     -      A      -
approval-follow       A     -      -            A     -      s      -
user-invite           A     t      -            -     -      t      -
bypass-give           A     t      -            -     -      t      -
factor-rename         A     t      -            t     -      t      -
factor-enable         A     t      -            t     -      t      -
factor-disable        A     t      -            t     -      t      -
factor-remove         A     t      -            t     -      t      -
verify                A     t      -            t     -      t      -
import                A     -      -            -     -      -      -
export                A     -      -            -     -      -      -
explain               A     A      A            A     -      s      -
audit-read            A     A      A            A     -      s      -
audit-verify          A     A      A            -     -      s      -
audit-follow          A     A      A            A     -      s      A
`;

const cells: Readonly<Record<string, Permission>> = { A: 'allow', s: 'session', t: 'token', '-': 'deny' };

export interface ExpectedCell {
  readonly operation: OperationName;
  readonly relation: CallerRole;
  readonly cell: Permission;
}

export const expectedCells: readonly ExpectedCell[] = (() => {
  const [heading = [], ...rows] = written
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return rows.flatMap(([operation, ...marks]) =>
    marks.map((mark, index) => ({
      operation: operation as OperationName,
      relation: heading[index] as CallerRole,
      cell: cells[mark] ?? 'deny',
    })),
  );
})();
