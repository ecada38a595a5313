import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { createTokens, type Person, type Tokens } from '../../../daemon/sign-in/access-tokens.ts';
import { FakeClock, FakeAccounts as Names } from '../../support/verifier-rig.ts';

/** Access tokens issued for a password and a factor: their limits, validity and owner. */

const minute = 60_000;
const alice: Person = { account: 'alice', uid: 1000 };
let clock: FakeClock;
let names: Names;
let drawn: number[];
let tokens: Tokens;

function daemon(): Tokens {
  return createTokens({
    accounts: names,
    adminGroup: () => 'admins',
    rootUids: new Set([0]),
    portalUid: async () => 900,
    randomness: {
      bytes: (length) => {
        drawn.push(length);
        return Buffer.alloc(length, 100 + drawn.length);
      },
    },
    clock,
  });
}

beforeEach(() => {
  clock = new FakeClock();
  names = new Names();
  names.add('alice', 1000);
  names.add('root', 0);
  names.add('portal', 900);
  drawn = [];
  tokens = daemon();
});

const given = (person = alice, onlyOwn = false) => tokens.give(person, onlyOwn).token;

describe('a token', () => {
  it('is 256 random bits, different each time', () => {
    assert.notEqual(given(), given());
    assert.deepEqual(drawn, [32, 32]);
    assert.equal(Buffer.from(given(), 'base64url').length, 32);
  });

  it('is rejected if it was invented, cut, or written otherwise', async () => {
    const token = given();
    for (const other of ['', token.slice(1), `${token}A`, token.toUpperCase(), `${token}=`, '__proto__'])
      assert.equal(await tokens.holder(other), undefined, other);
    assert.notEqual(await tokens.holder(token), undefined);
  });

  it('may be inspected, and still idles', async () => {
    const token = given();
    clock.pass(limits.tokenIdle - 1);
    assert.equal(tokens.isLive(token), true);
    clock.pass(1);
    assert.equal(tokens.isLive(token), false);
    assert.equal(await tokens.holder(token), undefined);
  });

  it('reports until when, by the wall clock', () => {
    const { changesUntil, readsUntil } = tokens.give(alice);
    assert.deepEqual([changesUntil - clock.at, readsUntil - clock.at], [5 * minute, 8 * 60 * minute]);
  });

  it('is valid for changes for five minutes from its creation, however much it is used', async () => {
    const token = given();
    clock.mono += 3 * minute;
    assert.equal((await tokens.holder(token))?.fresh, true);
    clock.mono += 2 * minute - 1;
    assert.equal((await tokens.holder(token))?.fresh, true);
    clock.mono += 1;
    assert.equal((await tokens.holder(token))?.fresh, false);
  });

  for (const [what, by] of [
    ['set back a day', -1],
    ['set ahead a day', 1],
  ] as const)
    it(`uses a monotonic clock: the wall clock ${what} changes nothing`, async () => {
      const [token, left] = [given(), given()];
      clock.at += by * 24 * 60 * minute;
      assert.equal((await tokens.holder(token))?.fresh, true);
      clock.mono += 5 * minute;
      assert.equal((await tokens.holder(token))?.fresh, false);
      clock.mono += 10 * minute;
      assert.equal(await tokens.holder(left), undefined);
    });

  it('ends after a quarter of an hour without use, and each use extends it', async () => {
    const token = given();
    for (let times = 0; times < 4; times += 1) {
      clock.mono += 15 * minute - 1;
      assert.notEqual(await tokens.holder(token), undefined);
    }
    clock.mono += 15 * minute;
    assert.equal(await tokens.holder(token), undefined);
    clock.mono -= 15 * minute;
    assert.equal(await tokens.holder(token), undefined, 'what is over stays over');
  });

  it('ends after eight hours, however much it is used', async () => {
    const token = given();
    for (let quarters = 0; quarters < 8 * 6 - 1; quarters += 1) {
      clock.mono += 10 * minute;
      assert.notEqual(await tokens.holder(token), undefined);
    }
    clock.mono += 10 * minute;
    assert.equal(await tokens.holder(token), undefined);
  });

  it('that was ended is invalid, and ends no other', async () => {
    const [one, two] = [given(), given()];
    tokens.end(one);
    tokens.end('none');
    assert.equal(await tokens.holder(one), undefined);
    assert.notEqual(await tokens.holder(two), undefined);
  });

  it('ends with the daemon', async () => {
    const token = given();
    tokens = daemon();
    assert.equal(await tokens.holder(token), undefined);
  });
});

describe('its holder', () => {
  it('has no rights once the account is deleted, has another uid, or cannot be looked up', async () => {
    const token = given();
    names.unavailable = 'away';
    assert.equal(await tokens.holder(token), undefined);
    names.unavailable = undefined;
    names.remove('alice');
    assert.equal(await tokens.holder(token), undefined);
    names.add('alice', 1002);
    assert.equal(await tokens.holder(token), undefined);
    names.remove('alice');
    names.add('mallory', 1000);
    assert.equal(await tokens.holder(token), undefined, 'the uid alone is not enough');
    names.remove('mallory');
    names.add('alice', 1000);
    assert.notEqual(await tokens.holder(token), undefined);
  });

  it('is an administrator as long as the group says so, and not a moment longer', async () => {
    const token = given();
    assert.equal((await tokens.holder(token))?.admin, false);
    names.add('alice', 1000, { admins: 'member' });
    assert.equal((await tokens.holder(token))?.admin, true);
    assert.equal((await tokens.view(alice)).admin, true);
    names.add('alice', 1000, { admins: 'unknown' as 'not-member' });
    assert.equal((await tokens.holder(token))?.admin, false);
    names.add('alice', 1000);
    assert.equal((await tokens.holder(token))?.admin, false);
  });

  it('is what that uid is: root, the portal, or neither', async () => {
    const holders = [alice, { account: 'root', uid: 0 }, { account: 'portal', uid: 900 }].map((person) =>
      tokens.holder(given(person)),
    );
    assert.deepEqual(
      (await Promise.all(holders)).map((holder) => [holder?.uid, holder?.root, holder?.portal]),
      [
        [1000, false, false],
        [0, true, false],
        [900, false, true],
      ],
    );
  });

  it('without a factor where one is required has no rights over others, whoever it is', async () => {
    names.add('alice', 1000, { admins: 'member' });
    const holder = await tokens.holder(given(alice, true));
    assert.deepEqual([holder?.admin, holder?.onlyOwn, holder?.fresh], [false, true, true]);
    assert.equal((await tokens.holder(given({ account: 'root', uid: 0 }, true)))?.root, false);
  });
});

describe('their number', () => {
  it('of one account is limited, the oldest is dropped; those of others stay', async () => {
    names.add('bob', 1001);
    const others = given({ account: 'bob', uid: 1001 });
    const own = Array.from({ length: limits.tokensPerAccount + 1 }, () => given());
    assert.equal(await tokens.holder(own[0] ?? ''), undefined);
    assert.notEqual(await tokens.holder(own[1] ?? ''), undefined);
    assert.notEqual(await tokens.holder(own.at(-1) ?? ''), undefined);
    assert.notEqual(await tokens.holder(others), undefined);
  });

  it('in all is bounded, the oldest is dropped', async () => {
    tokens = createTokens({
      accounts: names,
      adminGroup: () => 'admins',
      rootUids: new Set([0]),
      randomness: { bytes: (length) => crypto.getRandomValues(Buffer.alloc(length)) },
      clock,
    });
    const [first, second] = [given(), given()];
    for (let uid = 10_000; uid < 10_000 + limits.tokens - 1; uid += 1)
      tokens.give({ account: `user${uid}`, uid });
    assert.equal(await tokens.holder(first), undefined);
    assert.notEqual(await tokens.holder(second), undefined);
  });
});
