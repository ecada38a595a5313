import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { createOutput } from '../../../../cli/lib/output.ts';
import { type StackView, showStack } from '../../../../cli/pam/show.ts';
import { nowhere } from '../../../../man/world.ts';

const view: StackView = {
  service: 'sshd',
  guarded: true,
  other: false,
  findings: [],
  reaches: [],
  entries: [
    { text: 'auth requisite pam_unix.so', at: 16, ours: false },
    { text: 'auth requisite pam_sallyport.so first_factor=passed', at: 19, ours: true },
  ].map(({ text, at, ours }) => ({
    place: `/etc/pam.d/sallyport-sshd:${at}`,
    text,
    depth: 0,
    via: [],
    kind: 'module',
    ours,
  })),
};

function shown(columns: number | undefined): string {
  let text = '';
  const written = Object.assign(
    new Writable({
      write: (chunk, _, done) => {
        text += String(chunk);
        done();
      },
    }),
    columns === undefined ? {} : { isTTY: true, columns },
  );
  const world = { ...nowhere('9.9.9'), output: written, error: written, environment: { NO_COLOR: '1' } };
  showStack(createOutput(world), view);
  return text;
}

test('a terminal gets no "-" before a line of PAM, where it has a meaning, and no broken word', () => {
  assert.equal(
    shown(80),
    [
      '    LINE                                            PLACE',
      '    auth requisite pam_unix.so                      /etc/pam.d/sallyport-sshd:16',
      '>>  auth requisite pam_sallyport.so                 /etc/pam.d/sallyport-sshd:19',
      '    first_factor=passed',
      '',
    ].join('\n'),
  );
  assert.equal(
    shown(40),
    [
      'LINE: auth requisite pam_unix.so',
      '  PLACE: /etc/pam.d/sallyport-sshd:16',
      '>> LINE: auth requisite pam_sallyport.so',
      '    first_factor=passed',
      '  PLACE: /etc/pam.d/sallyport-sshd:19',
      '',
    ].join('\n'),
  );
});

test('a pipe gets a record a line, with "-" for no mark', () => {
  assert.equal(
    shown(undefined),
    '-\tauth requisite pam_unix.so\t/etc/pam.d/sallyport-sshd:16\n>>\tauth requisite pam_sallyport.so first_factor=passed\t/etc/pam.d/sallyport-sshd:19\n',
  );
});
