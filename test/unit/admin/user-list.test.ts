import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ControlClient, createClient } from '../../../daemon/client/client.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';

/** Accounts by pages, and those whose names begin with the typed text. */

let rig: ControlRig;
let client: ControlClient;
const names = ['al', 'ali', 'alice', 'alice.b', 'alicf', 'bob', 'zoë', 'zoë2', 'Alice'];
before(async () => {
  rig = await startControl();
  client = createClient({ socket: rig.socket });
  for (const name of names) await rig.store.put(name, {});
});
after(() => rig.close());

async function all(limit: number, search?: string): Promise<string[][]> {
  const pages: string[][] = [];
  for (let next: string | undefined; ; ) {
    const page = await client.users(next, limit, search);
    pages.push(page.users.map(({ account }) => account));
    next = page.next;
    if (next === undefined) return pages;
    assert.ok(pages.length < 50, 'it does not end');
  }
}

describe('the accounts', () => {
  for (const limit of [1, 2, 3, 8, 9, 10])
    it(`by ${limit}: each once, and no page is longer`, async () => {
      const pages = await all(limit);
      assert.deepEqual(pages.flat().sort(), [...names].sort());
      assert.ok(pages.every((page) => page.length <= limit));
    });
});

describe('a search', () => {
  const found: readonly (readonly [string, readonly string[]])[] = [
    ['al', ['al', 'ali', 'alice', 'alice.b', 'alicf']],
    ['alice', ['alice', 'alice.b']],
    ['alic', ['alice', 'alice.b', 'alicf']],
    ['Al', ['Alice']],
    ['zoë', ['zoë', 'zoë2']],
    ['alicf', ['alicf']],
    ['x', []],
    ['bobb', []],
  ];
  for (const limit of [1, 2, 3, 100])
    for (const [search, wanted] of found)
      it(`for "${search}" by ${limit}: the exact name first, each once`, async () => {
        const pages = await all(limit, search);
        assert.deepEqual(pages.flat(), wanted);
        assert.ok(pages.every((page) => page.length <= limit));
      });
});
