import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { addFactorAdd, isLegacy } from '../../../cli/factors.ts';
import type { Context } from '../../../cli/lib/context.ts';
import { kinds } from '../../../daemon/factors/kinds.ts';

test('each kind that can be added has its command, of its own name', () => {
  const factor = new Command('factor');
  // Only an action uses it.
  addFactorAdd(factor, {} as Context);
  const commands = factor.commands[0]?.commands.map((command) => command.name()) ?? [];
  const addable = Object.values(kinds).flatMap(({ kind, enrolling }) =>
    enrolling === undefined ? [] : [kind],
  );
  assert.deepEqual(commands.sort(), addable.sort());
});

test('a legacy kind can be imported', () => {
  for (const { kind, importing } of Object.values(kinds))
    if (isLegacy(kind)) assert.notEqual(importing, undefined, kind);
});
