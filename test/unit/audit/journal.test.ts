import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, mock } from 'node:test';
import type { StoredAuditEvent } from '../../../daemon/audit/event.ts';
import { createAuditJournal } from '../../../daemon/audit/journal.ts';
import { limits } from '../../../daemon/limits.ts';
import { until } from '../../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-journal-'));
after(() => rmSync(directory, { recursive: true }));

const eventOf = (seq: number): StoredAuditEvent => ({
  kind: 'login',
  outcome: 'refused',
  reason: 'wrong',
  at: 1,
  seq,
  account: 'alice',
});

describe('the journal', () => {
  it('gets every line, in order, with its priority if systemd listens', async () => {
    const path = join(directory, 'lines');
    const file = openSync(path, 'a');
    const journal = createAuditJournal(file, true);
    for (let seq = 1; seq <= 500; seq += 1) journal.note(eventOf(seq));
    await journal.close();
    closeSync(file);
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    assert.deepEqual(
      lines.map((line) => Number(/seq=(\d+)$/.exec(line)?.[1])),
      Array.from({ length: 500 }, (_, index) => index + 1),
    );
    assert.ok(lines.every((line) => line.startsWith('<5>sallyport-audit: ')));
  });

  it('that blocks delays nothing, and reports how many lines were dropped', {
    timeout: 60_000,
  }, async () => {
    const path = join(directory, 'pipe');
    assert.equal(spawnSync('mkfifo', [path]).status, 0);
    const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const journal = createAuditJournal(pipe, false);
    const most = limits.auditLines + 5_000;
    for (let seq = 1; seq <= most; seq += 1) journal.note(eventOf(seq));
    // Now the reader continues.
    let text = '';
    const chunk = Buffer.alloc(65_536);
    await until(() => {
      try {
        text += chunk.toString('latin1', 0, readSync(pipe, chunk));
      } catch {
        // No lines are pending now.
      }
      return text.includes('lines-dropped');
    }, 30_000);
    const dropped = Number(/lines-dropped count=(\d+)/.exec(text)?.[1]);
    assert.equal(dropped, most - limits.auditLines);
    await journal.close();
    closeSync(pipe);
  });

  it('batches lines, and does not wait after an error or at the end', async () => {
    const path = join(directory, 'gathered');
    const file = openSync(path, 'a');
    const journal = createAuditJournal(file, false);
    const written = () => readFileSync(path, 'utf8').split('\n').length - 1;
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      journal.note(eventOf(1));
      mock.timers.tick(limits.journalGather - 1);
      journal.note(eventOf(2));
      for (let turns = 0; turns < 100; turns += 1) await turn();
      assert.equal(written(), 0);
      mock.timers.tick(1);
      while (written() < 2) await turn();
      journal.note(eventOf(3));
      journal.note({ ...eventOf(4), outcome: 'error' });
      while (written() < 4) await turn();
      for (const seq of [5, 6]) journal.note({ ...eventOf(seq), outcome: 'error' });
      while (written() < 6) await turn();
      for (let turns = 0; turns < 100; turns += 1) await turn();
      journal.note(eventOf(7));
      await journal.close();
      assert.equal(written(), 7);
    } finally {
      mock.timers.reset();
      closeSync(file);
    }
  });
});
