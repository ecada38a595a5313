import assert from 'node:assert/strict';
import { it } from 'node:test';
import { flipEverywhere, flipUnread } from '../support/store-damage.ts';
import { grownStore } from '../support/store-grown.ts';
import { killWriters } from '../support/store-kills.ts';

it('a store killed 200 times loses no acknowledged change', async (t) => {
  const commits = await killWriters(200);
  t.diagnostic(`${commits} commits acknowledged`);
  assert.ok(commits > 0);
});

it('a store with any of thousands of bits flipped is refused, or correct', async (t) => {
  const stores = [await grownStore('close'), await grownStore('kill')];
  t.diagnostic(JSON.stringify(await flipEverywhere(stores, 600)));
  for (const { rig } of stores) rig.remove();
});

it('a large store with any of a hundred bits flipped is refused, or correct', async (t) => {
  const grown = await grownStore('close', 300);
  t.diagnostic(JSON.stringify(await flipUnread(grown, 150)));
  grown.rig.remove();
});
