import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAccounts } from '../../../daemon/host/accounts.ts';
import type { LookupAccount, NssAnswer } from '../../../daemon/host/addon.ts';
import { limits } from '../../../daemon/limits.ts';
import { domainOf } from '../../../daemon/policy/realm.ts';

function answering(answer: NssAnswer) {
  const asked: Parameters<LookupAccount>[] = [];
  const lookup: LookupAccount = async (...question) => {
    asked.push(question);
    return answer;
  };
  return { asked, accounts: createAccounts({ lookup }) };
}

const anna = { status: 'found', name: 'anna', uid: 1000, gid: 1000, groups: [] } as const;

test('the canonical name is that of NSS, not the typed one', async () => {
  const { accounts, asked } = answering({ ...anna, groups: [['staff', 'member']] });
  assert.deepEqual(await accounts.byName('ANNA', ['staff']), {
    status: 'found',
    account: { name: 'anna', uid: 1000, gid: 1000 },
    groups: new Map([['staff', 'member']]),
  });
  assert.deepEqual(asked, [[{ name: 'ANNA' }, ['staff'], limits.nssWait]]);
});

test('a group without an answer of NSS is unresolved', async () => {
  const { accounts } = answering({ ...anna, groups: [['staff', 'not-member']] });
  const lookup = await accounts.byUid(1000, ['staff', 'wheel']);
  assert.equal(lookup.status, 'found');
  assert.deepEqual(lookup.status === 'found' && [...lookup.groups.values()], ['not-member', 'unresolved']);
});

test('an impossible name is absent, without an NSS lookup', async () => {
  const { accounts, asked } = answering(anna);
  const names = [
    '',
    'root\0',
    'a\nb',
    'a:b',
    '\u001b[2J',
    'x'.repeat(limits.userLength + 1),
    'ä'.repeat(129),
  ];
  for (const name of names) assert.deepEqual(await accounts.byName(name, []), { status: 'absent' }, name);
  for (const uid of [-1, 1.5, 0xffff_ffff, Number.NaN]) {
    assert.deepEqual(await accounts.byUid(uid, []), { status: 'absent' });
  }
  assert.deepEqual(asked, []);
  assert.equal((await accounts.byName('x'.repeat(limits.userLength), [])).status, 'found');
});

test('an impossible group is unresolved, and NSS is asked for the others once each', async () => {
  const { accounts, asked } = answering({ ...anna, groups: [['staff', 'member']] });
  const lookup = await accounts.byName('anna', ['staff', 'root\0', 'staff', '']);
  assert.deepEqual(asked[0]?.[1], ['staff']);
  assert.deepEqual(lookup.status === 'found' && [...lookup.groups], [
    ['staff', 'member'],
    ['root\0', 'unresolved'],
    ['', 'unresolved'],
  ]);
});

test('an answer that could be mistaken for another account is rejected', async () => {
  for (const name of ['', 'an\ufffdna', 'anna\nroot', 'x'.repeat(257)]) {
    assert.equal(
      (await answering({ ...anna, name }).accounts.byName('anna', [])).status,
      'unavailable',
      name,
    );
  }
  assert.equal((await answering(anna).accounts.byUid(1001, [])).status, 'unavailable');
  assert.equal((await answering(anna).accounts.byUid(1000, [])).status, 'found');
});

test('NSS that fails, or throws, is unavailable and never absent', async () => {
  const silent = createAccounts({ lookup: () => new Promise(() => undefined), waitMs: 20 });
  assert.deepEqual(await silent.byName('anna', ['staff']), {
    status: 'unavailable',
    why: 'NSS gave no answer within 20 ms',
  });
  const throwing = createAccounts({
    lookup: () => {
      throw new Error('no thread');
    },
  });
  assert.deepEqual(await throwing.byUid(0, []), { status: 'unavailable', why: 'no thread' });
  const rejecting = createAccounts({ lookup: () => Promise.reject(new Error('gone')) });
  assert.deepEqual(await rejecting.byUid(0, []), { status: 'unavailable', why: 'gone' });
});

test('the domain of an account comes only from its name', () => {
  const domains = {
    'anna@corp.example': 'corp.example',
    'anna@CORP.Example': 'corp.example',
    'CORP\\anna': 'corp',
    'anna@home@corp.example': 'corp.example',
    'CORP\\anna@home': 'corp',
    anna: undefined,
    'anna@': undefined,
    '@corp.example': undefined,
    '\\anna': undefined,
    'CORP\\': undefined,
  };
  for (const [name, domain] of Object.entries(domains)) assert.equal(domainOf(name), domain, name);
});
