import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Membership } from '../../../daemon/host/contract.ts';
import { domainOf, referencedGroups, selectRealm } from '../../../daemon/policy/realm.ts';
import { alice, config, members, realm } from './support.ts';

const rest = realm({ name: 'rest' });
const account = (name: string, uid = 1000) => ({ name, uid, gid: uid });

function selected(
  first: ReturnType<typeof members>,
  who = alice,
  groups: Readonly<Record<string, Membership>> = {},
): string {
  const both = config(realm({ name: 'first', line: 3, members: first }), rest);
  const selection = selectRealm(both, who, new Map(Object.entries(groups)));
  return selection.kind === 'realm'
    ? `${selection.realm.name}: ${selection.membershipReason}`
    : `? ${selection.group}`;
}

describe('membership', () => {
  it('includes users by their canonical name, and no other', () => {
    assert.equal(selected(members({ users: ['alice'] })), 'first: user alice');
    assert.equal(selected(members({ users: ['Alice', 'alice2'] })), 'rest: everybody else');
  });

  it('includes uids, from the first to the last of a range', () => {
    const uids = members({
      uids: [
        { first: 1000, last: 1999 },
        { first: 0, last: 0 },
      ],
    });
    for (const [uid, expected] of [
      [0, 'first: uid 0 in 0-0'],
      [1, 'rest: everybody else'],
      [999, 'rest: everybody else'],
      [1000, 'first: uid 1000 in 1000-1999'],
      [1999, 'first: uid 1999 in 1000-1999'],
      [2000, 'rest: everybody else'],
    ] as const) {
      assert.equal(selected(uids, account('u', uid)), expected);
    }
  });

  it('includes accounts by the domain in the canonical name, in any case', () => {
    const domains = members({ domains: ['corp.example', 'corp'] });
    assert.equal(selected(domains, account('bob@corp.example')), 'first: domain corp.example');
    assert.equal(selected(domains, account('bob@CORP.Example')), 'first: domain corp.example');
    assert.equal(selected(domains, account('CORP\\bob')), 'first: domain corp');
    assert.equal(selected(domains, account('bob@evil.corp.example')), 'rest: everybody else');
    assert.equal(selected(domains, account('corp.example')), 'rest: everybody else');
    assert.equal(selected(domains, account('EVIL\\bob@corp.example')), 'rest: everybody else');
  });

  for (const [name, domain] of [
    ['alice', undefined],
    ['alice@', undefined],
    ['\\alice', undefined],
    ['a@b@c', 'c'],
    ['D\\a\\b', 'd'],
  ] as const) {
    it(`reads the domain of ${name} as ${domain}`, () => assert.equal(domainOf(name), domain));
  }

  it('includes accounts by any of its groups', () => {
    const groups = members({ groups: ['staff', 'ops'] });
    assert.equal(selected(groups, alice, { staff: 'not-member', ops: 'member' }), 'first: group ops');
    assert.equal(selected(groups, alice, { staff: 'not-member', ops: 'not-member' }), 'rest: everybody else');
  });

  it('is the first match in the file, not the best', () => {
    const both = config(
      realm({ name: 'one', members: members({ uids: [{ first: 0, last: 5000 }] }) }),
      realm({ name: 'two', members: members({ users: ['alice'] }) }),
      rest,
    );
    const selection = selectRealm(both, alice, new Map());
    assert.ok(selection.kind === 'realm');
    assert.equal(selection.realm.name, 'one');
  });
});

describe('a group that does not resolve', () => {
  const groups = members({ groups: ['staff', 'ops'] });

  it('stops the search before the realm is ruled out', () => {
    assert.equal(selected(groups, alice, { staff: 'not-member', ops: 'unresolved' }), '? ops');
    assert.equal(selected(groups, alice, { staff: 'unresolved', ops: 'not-member' }), '? staff');
  });

  it('includes one that was not looked up', () => {
    assert.equal(selected(groups, alice, { staff: 'not-member' }), '? ops');
    assert.equal(selected(groups), '? staff');
  });

  it('does not matter if another list makes the account a member', () => {
    assert.equal(selected(groups, alice, { staff: 'unresolved', ops: 'member' }), 'first: group ops');
    assert.equal(selected({ ...groups, users: ['alice'] }), 'first: user alice');
    assert.equal(
      selected({ ...groups, uids: [{ first: 1000, last: 1000 }] }),
      'first: uid 1000 in 1000-1000',
    );
    assert.equal(selected({ ...groups, domains: ['x'] }, account('a@x')), 'first: domain x');
  });

  it('does not matter to an earlier realm', () => {
    const ordered = config(
      realm({ name: 'local', members: members({ users: ['alice'] }) }),
      realm({ name: 'directory', members: groups }),
      rest,
    );
    const selection = selectRealm(ordered, alice, new Map());
    assert.ok(selection.kind === 'realm');
    assert.equal(selection.realm.name, 'local');
  });
});

describe('the groups to ask for', () => {
  it('are those that realms name, each once', () => {
    const many = config(
      realm({ members: members({ groups: ['a', 'b'] }) }),
      realm({ members: members({ groups: ['b', 'c'], users: ['x'] }) }),
      rest,
    );
    assert.deepEqual(referencedGroups(many), ['a', 'b', 'c']);
    assert.deepEqual(referencedGroups(config(rest)), []);
  });
});

describe('a configuration without a catch-all', () => {
  it('allows no login even if it were loaded', () => {
    const open = config(realm({ members: members({ users: ['root'] }) }));
    assert.throws(() => selectRealm(open, alice, new Map()), { code: 'config-bad' });
  });
});
