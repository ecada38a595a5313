import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadScript } from './load.ts';

interface Seen {
  readonly kind: 'device' | 'directory' | 'other';
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
  readonly writable: boolean;
}
interface Machine {
  readonly files: Readonly<Record<string, Seen | undefined>>;
  readonly namespaces: string | undefined;
}
interface Complaint {
  readonly what: string;
  readonly command?: string;
}
const { complaintsOf, complaintText, lookAtMachine } = await loadScript<{
  complaintsOf(machine: Machine): readonly Complaint[];
  complaintText(complaints: readonly Complaint[]): string;
  lookAtMachine(): Machine;
}>('lib/machine.mjs');

const device = (major: number, minor: number): Seen => ({
  kind: 'device',
  mode: 0o20666,
  major,
  minor,
  writable: true,
});
const directory: Seen = { kind: 'directory', mode: 0o41777, major: 0, minor: 0, writable: true };
const good: Machine = {
  files: {
    '/proc/self/status': { ...directory, kind: 'other' },
    '/dev/pts/ptmx': device(5, 2),
    '/dev/null': device(1, 3),
    '/dev/zero': device(1, 5),
    '/dev/full': device(1, 7),
    '/dev/random': device(1, 8),
    '/dev/urandom': device(1, 9),
    '/dev/tty': device(5, 0),
    '/dev/ptmx': device(5, 2),
    '/tmp': directory,
    '/var/tmp': directory,
    '/dev/shm': directory,
  },
  namespaces: undefined,
};
const but = (files: Record<string, Seen | undefined>): readonly Complaint[] =>
  complaintsOf({ ...good, files: { ...good.files, ...files } });

describe('what the tests need of the machine', () => {
  it('exists on a usual machine', () => {
    assert.deepEqual(complaintsOf(good), []);
  });

  it('is reported if missing, with the command that corrects it', () => {
    assert.deepEqual(but({ '/dev/null': { ...device(1, 3), mode: 0o20600 } }), [
      {
        what: '/dev/null has mode 0600, so that not all accounts can use it',
        command: 'chmod 666 /dev/null',
      },
    ]);
    assert.deepEqual(but({ '/dev/null': { ...directory, kind: 'other' } }), [
      {
        what: '/dev/null is not the character device 1:3',
        command: 'rm -f /dev/null && mknod -m 666 /dev/null c 1 3',
      },
    ]);
    assert.match(but({ '/dev/urandom': device(1, 8) })[0]?.what ?? '', /not the character device 1:9/);
    assert.match(but({ '/dev/ptmx': undefined })[0]?.command ?? '', /mknod -m 666 \/dev\/ptmx c 5 2/);
    assert.deepEqual(but({ '/tmp': { ...directory, mode: 0o40755 } }), [
      { what: '/tmp has mode 0755, not 1777', command: 'chmod 1777 /tmp' },
    ]);
    assert.match(but({ '/var/tmp': { ...directory, writable: false } })[0]?.what ?? '', /cannot be written/);
    assert.match(but({ '/proc/self/status': undefined })[0]?.command ?? '', /mount -t proc/);
    const [no] = complaintsOf({ ...good, namespaces: 'unshare: Operation not permitted' });
    assert.match(no?.what ?? '', /no namespaces can be made \(unshare: Operation not permitted\)/);
  });

  it('is reported all at once', () => {
    const text = complaintText(
      but({ '/dev/null': { ...device(1, 3), mode: 0o20600 }, '/tmp': { ...directory, mode: 0o40755 } }),
    );
    assert.match(text, /\/dev\/null has mode 0600.*\n {4}chmod 666 \/dev\/null\n.*\/tmp has mode 0755/);
  });

  it('is checked, for each file that can be reported', () => {
    assert.deepEqual(Object.keys(lookAtMachine().files).sort(), Object.keys(good.files).sort());
  });
});
