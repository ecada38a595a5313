import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Caller, callerRole, mayCall, type TargetAccount } from '../../../daemon/api/access.ts';
import { type CallerRole, type OperationName, operationNames } from '../../../daemon/api/operations.ts';
import { expectedCells } from './access-table.ts';

const nobody: Caller = { uid: 1_000, root: false, portal: false, admin: false };
const other: TargetAccount = { name: 'other', uid: 2_000, root: false };
const roots: TargetAccount = { name: 'root', uid: 0, root: true };
const own: TargetAccount = { name: 'own', uid: 1_000, root: false };

const situations: Readonly<Record<CallerRole, { caller: Caller; subject: TargetAccount }>> = {
  root: { caller: { ...nobody, uid: 0, root: true }, subject: other },
  admin: { caller: { ...nobody, admin: true }, subject: other },
  adminOfRoot: { caller: { ...nobody, admin: true }, subject: roots },
  self: { caller: nobody, subject: own },
  other: { caller: nobody, subject: other },
  portal: { caller: { ...nobody, portal: true }, subject: other },
  notify: { caller: { ...nobody, notify: true, admin: true }, subject: other },
};

for (const { operation, relation, cell } of expectedCells) {
  test(`${operation} by ${relation}: ${cell}`, () => {
    const { caller, subject: usual } = situations[relation];
    // The portal shows a user's own data only to that user.
    const subject = operation === 'approval-follow' && relation === 'portal' ? own : usual;
    assert.equal(callerRole(caller, subject), relation);
    const without = mayCall(operation, caller, subject, undefined);
    const holder = { ...caller, portal: false, admin: true, fresh: true };
    const withToken = mayCall(operation, caller, subject, holder);
    assert.equal(without.allowed, cell === 'allow');
    assert.equal(withToken.allowed, cell !== 'deny');
    const withOld = mayCall(operation, caller, subject, { ...holder, fresh: false });
    assert.equal(withOld.allowed, cell === 'allow' || cell === 'session');
    if (!without.allowed) assert.equal(without.code, cell === 'deny' ? 'not-permitted' : 'token-needed');
  });
}

test('the written table has every operation and every caller, once', () => {
  const all = operationNames.flatMap((name) =>
    Object.keys(situations).map((relation) => `${name} ${relation}`),
  );
  assert.deepEqual(
    expectedCells.map(({ operation, relation }) => `${operation} ${relation}`).sort(),
    all.sort(),
  );
});

const change: OperationName = 'factor-remove';

test('a token is valid for its own uid and no other', () => {
  const { caller, subject } = situations.admin;
  assert.deepEqual(mayCall(change, caller, subject, { ...caller, uid: 1_001, fresh: true }), {
    allowed: false,
    code: 'token-needed',
  });
});

test('the portal may do with a token what its holder may, and not more', () => {
  const { caller } = situations.portal;
  const person = { ...nobody, uid: 1_000 };
  const may = (name: OperationName, subject: TargetAccount | undefined, holder: Caller) =>
    mayCall(name, caller, subject, { ...holder, fresh: true }).allowed;
  assert.equal(may(change, own, person), true);
  assert.equal(may('user-show', own, person), true);
  assert.equal(may(change, other, person), false);
  assert.equal(may('user-show', other, person), false);
  assert.equal(may('user-list', undefined, person), false);
  assert.equal(may(change, other, { ...person, admin: true }), true);
  assert.equal(may(change, roots, { ...person, admin: true }), false);
  assert.equal(may('factor-add-unverified', other, { ...person, uid: 0, root: true }), false);
  assert.equal(may('reload', undefined, { ...person, uid: 0, root: true }), false);
  assert.equal(may('status', undefined, { ...caller, portal: true }), false);
});

test('the portal is the portal whatever its groups and its own account, but root takes precedence', () => {
  const portal = situations.portal.caller;
  assert.equal(callerRole({ ...portal, admin: true }, undefined), 'portal');
  assert.equal(callerRole(portal, { ...own, uid: portal.uid }), 'portal');
  assert.equal(callerRole({ ...portal, root: true }, undefined), 'root');
});

test('a deleted account is changed by administrators only if its record says that it was not root’s', () => {
  const unknown: TargetAccount = { name: 'gone', root: true };
  const gone: TargetAccount = { name: 'gone', root: false };
  assert.equal(callerRole({ ...nobody, admin: true }, unknown), 'adminOfRoot');
  assert.equal(callerRole({ ...nobody, admin: true }, gone), 'admin');
  assert.equal(callerRole(nobody, gone), 'other');
  assert.equal(callerRole(nobody, unknown), 'other');
});

test('what is stored for another uid belongs to no account', () => {
  const another: TargetAccount = { ...own, another: true };
  assert.equal(callerRole(nobody, another), 'other');
  assert.equal(callerRole({ ...nobody, admin: true }, another), 'admin');
});

test('an administrator is the owner of their own account', () => {
  assert.equal(callerRole({ ...nobody, admin: true }, own), 'self');
});
