import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { checkService, guards } from '../../../../cli/pam/check.ts';
import { unifiedDiff } from '../../../../cli/pam/diff.ts';
import type { PamFiles } from '../../../../cli/pam/files.ts';
import { overlaid, type Plan, planEnable, stackFor } from '../../../../cli/pam/plan.ts';
import { planDisable } from '../../../../cli/pam/plan-disable.ts';
import { readStack } from '../../../../cli/pam/read.ts';
import type { FileChange, Recorded } from '../../../../cli/pam/record.ts';
import { namesToDisable, planProgram } from '../../../../cli/pam/service-aliases.ts';
import { distribution, memoryFiles, olderWayIn } from '../../../support/pam-stacks.ts';
import { fc } from '../../../support/property.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-change-'));
after(() => rmSync(directory, { recursive: true }));

/** The record that the change would leave. */
let records = 0;
function recorded(plan: Plan): Recorded {
  const place = mkdtempSync(join(directory, 'record-'));
  for (const [index, { before, after }] of plan.files.entries()) {
    if (before !== undefined) writeFileSync(join(place, `${index}.before`), before, 'latin1');
    if (after !== undefined) writeFileSync(join(place, `${index}.after`), after, 'latin1');
  }
  records += 1;
  const { service, services, files } = plan;
  return { id: `${records}`, action: 'enable', service, services, at: records, files, directory: place };
}

const textsOf = (files: PamFiles) =>
  Object.fromEntries(files.names().map((name) => [name, files.read(name)?.text]));
/** Deleted files are removed from the list too. */
function applied(
  texts: Readonly<Record<string, string>>,
  changes: readonly FileChange[],
): Record<string, string> {
  const result = { ...texts };
  for (const { path, after } of changes) {
    const name = path.replace('/etc/pam.d/', '');
    if (after === undefined) delete result[name];
    else result[name] = after;
  }
  return result;
}

const stackNames = [
  'sallyport-sshd',
  'sallyport-sshd-key',
  'sallyport-sudo',
  'sallyport-su',
  'sallyport-login',
  'sallyport-remote',
  'sallyport-one-prompt',
  'sallyport-locker',
];
const cases: readonly (readonly [string, readonly string[]])[] = [
  ['debian-12', ['sshd', 'sudo', 'sudo-i', 'su', 'login']],
  ['debian-13', ['sshd', 'sudo', 'sudo-i', 'su', 'login']],
  ['fedora', ['sshd', 'sudo', 'su', 'login', 'remote', 'polkit-1']],
];

for (const [name, services] of cases)
  describe(`with the files of ${name}`, () => {
    const texts = distribution(name);
    const files = memoryFiles(texts);
    for (const service of services) {
      const stack = stackFor(service, service === 'polkit-1' ? 'one-prompt' : undefined, stackNames);

      it(`${service} is changed in one line, and its stack has no fault`, () => {
        const plan = planEnable(files, service, stack);
        const own = plan.files.find(({ path }) => path === `/etc/pam.d/${service}`);
        const [was, now] = [own?.before?.split('\n') ?? [], own?.after?.split('\n') ?? []];
        assert.equal(was.length, now.length);
        const different = now.flatMap((row, index) => (row === was[index] ? [] : [[was[index], row]]));
        assert.equal(different.length, 1, JSON.stringify(different));
        const [[before = '', changed = ''] = []] = different;
        assert.equal(
          changed.replace(stack, 'X'),
          before.replace(/common-auth|password-auth|system-auth/, 'X'),
        );
        assert.deepEqual(
          checkService(plan.after, service).filter(({ level }) => level === 'error'),
          [],
        );
        assert.equal(plan.files.at(-1), own, 'what makes the others count comes last');
      });

      it(`${service} is restored byte for byte, with the record and without`, () => {
        const plan = planEnable(files, service, stack);
        const changed = applied(texts, plan.files);
        for (const past of [[recorded(plan)], []])
          assert.deepEqual(applied(changed, planDisable(memoryFiles(changed), service, past)), texts);
      });

      it(`${service} is restored with what others wrote meanwhile`, () => {
        const plan = planEnable(files, service, stack);
        const changed = applied(texts, plan.files);
        const edited = { ...changed, [service]: `# first\n${changed[service]}# last\n` };
        const back = applied(edited, planDisable(memoryFiles(edited), service, [recorded(plan)]));
        assert.equal(back[service], `# first\n${texts[service]}# last\n`);
      });
    }

    it('is changed once', () => {
      const plan = planEnable(files, 'sudo', 'sallyport-sudo');
      assert.deepEqual(planEnable(plan.after, 'sudo', 'sallyport-sudo').files, []);
    });

    it('protects a program under all its names, and releases all', () => {
      const plan = planProgram(files, 'sudo', 'sallyport-sudo');
      for (const one of ['sudo', 'sudo-i'].filter((one) => files.read(one) !== undefined)) {
        assert.ok(guards(readStack(plan.after, one, 'auth')), one);
        assert.deepEqual(checkService(plan.after, one), []);
      }
      assert.deepEqual(planProgram(plan.after, 'sudo', 'sallyport-sudo').files, []);
      let back = applied(texts, plan.files);
      for (const one of namesToDisable(memoryFiles(back), 'sudo'))
        back = applied(back, planDisable(memoryFiles(back), one, [recorded(plan)]));
      assert.deepEqual(back, texts);
    });

    it('protects the other name of a program that asks already under one', () => {
      const first = planEnable(files, 'sudo', 'sallyport-sudo');
      const { after } = planProgram(first.after, 'sudo', 'sallyport-sudo');
      if (files.read('sudo-i') !== undefined) assert.ok(guards(readStack(after, 'sudo-i', 'auth')));
    });

    it('reports which services a change affects', () => {
      assert.deepEqual(planEnable(files, 'su', 'sallyport-su').services, ['su', 'su-l']);
    });

    it('shares a stack that two services use', () => {
      const first = planEnable(files, 'sudo', 'sallyport-sudo');
      const both = planEnable(first.after, 'login', 'sallyport-sudo');
      assert.deepEqual(
        both.files.map(({ path }) => path),
        ['/etc/pam.d/login'],
      );
      const off = planDisable(both.after, 'sudo', [recorded(first)]);
      assert.deepEqual(
        off.map(({ path }) => path),
        ['/etc/pam.d/sudo'],
      );
    });
  });

describe('passwords from other sources', () => {
  it('are verified on Debian by the original line, which ends on a wrong one', () => {
    const texts = {
      ...distribution('debian-12'),
      'common-auth': `auth [success=2 default=ignore] pam_unix.so nullok
auth [success=1 default=ignore] pam_sss.so use_first_pass
auth requisite pam_deny.so
auth required pam_permit.so
`,
    };
    const plan = planEnable(memoryFiles(texts), 'sudo', 'sallyport-sudo');
    assert.match(plan.files[0]?.after ?? '', /^@include common-auth\n/m);
    assert.doesNotMatch(plan.files[0]?.after ?? '', /^auth.*pam_unix/m);
    assert.throws(
      () => planEnable(memoryFiles(texts), 'sudo', 'sallyport-one-prompt'),
      /also accepts passwords from sss/,
    );
  });

  it('are no reason to skip the password: on Fedora nothing is changed', () => {
    for (const service of ['sshd', 'sudo', 'login'])
      assert.throws(
        () => planEnable(memoryFiles(distribution('fedora-sssd')), service, `sallyport-${service}`),
        /stack would be incorrect/,
      );
  });
});

describe('stacks that no command can change', () => {
  const debian = distribution('debian-12');
  const refused: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    [
      'a password of its own',
      { ftp: 'auth required pam_unix.so\n' },
      /asks for passwords directly \(line 1\)/,
    ],
    ['no password', { ftp: 'auth required pam_permit.so\n' }, /no password/],
    ['two files', { ftp: '@include common-auth\nauth include login\n' }, /several files/],
    ['a shared file', { 'common-auth': debian['common-auth'] ?? '' }, /is shared/],
  ];
  for (const [name, more, message] of refused)
    it(name, () => {
      const [service = ''] = Object.keys(more);
      assert.throws(
        () => planEnable(memoryFiles({ ...debian, ...more }), service, 'sallyport-sudo'),
        message,
      );
    });

  it('a line of the module written by an administrator', () => {
    const texts = { ...debian, ftp: '@include common-auth\nauth required pam_sallyport.so\n' };
    assert.throws(() => planDisable(memoryFiles(texts), 'ftp', []), /runs \/etc\/pam\.d\/ftp:2/);
  });
});

describe('a service of the vendor’s directory', () => {
  it('gets a file in /etc, which is removed afterwards', () => {
    const texts = distribution('debian-12');
    const vendor = { path: '/usr/lib/pam.d/polkit-1', text: '@include common-auth\n' };
    const plain = memoryFiles(texts);
    const files: PamFiles = {
      names: () => [...plain.names(), 'polkit-1'],
      read: (name) => (name === 'polkit-1' || name === vendor.path ? vendor : plain.read(name)),
    };
    const plan = planEnable(files, 'polkit-1', 'sallyport-sudo');
    assert.deepEqual(plan.files.at(-1)?.path, '/etc/pam.d/polkit-1');
    assert.equal(plan.files.at(-1)?.before, undefined);
    const changes = planDisable(plan.after, 'polkit-1', [recorded(plan)]);
    assert.deepEqual(textsOf(overlaid(plan.after, changes))['polkit-1'], vendor.text);
    assert.equal(changes.find(({ path }) => path === '/etc/pam.d/polkit-1')?.after, undefined);
  });
});

describe('a diff', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', '', 'd'), { maxLength: 12 });
  it('contains what `patch` needs to make one file of the other', async () => {
    await fc.assert(
      fc.asyncProperty(lines, lines, fc.boolean(), async (before, after, ended) => {
        const [was, now] = [before, after].map(
          (rows) => rows.join('\n') + (ended && rows.length > 0 ? '\n' : ''),
        );
        const path = join(directory, 'patched');
        writeFileSync(path, was ?? '');
        const diff = await unifiedDiff('patched', was, now);
        if (diff.length === 0) return assert.equal(was, now);
        const run = spawnSync('git', ['apply', '-'], {
          cwd: directory,
          input: `${diff.join('\n').replace('--- patched', '--- a/patched').replace('+++ patched', '+++ b/patched')}\n`,
          encoding: 'utf8',
        });
        assert.equal(run.status, 0, `${run.stderr}${diff.join('\n')}`);
        const cat = spawnSync('cat', [path], { encoding: 'utf8' });
        assert.equal(cat.stdout, now);
      }),
      { numRuns: 60 },
    );
  });

  it('counts the lines of a file that is created, removed or has one line as `diff -u` does', async () => {
    const texts: readonly (readonly [string | undefined, string | undefined])[] = [
      [undefined, 'a\nb\n'],
      ['a\n', undefined],
      ['a', 'a\n'],
      ['a\n', 'a\n'],
    ];
    const diffs = await Promise.all(texts.map(([before, after]) => unifiedDiff('/f', before, after)));
    assert.deepEqual(diffs, [
      ['--- /dev/null', '+++ /f', '@@ -0,0 +1,2 @@', '+a', '+b'],
      ['--- /f', '+++ /dev/null', '@@ -1 +0,0 @@', '-a'],
      ['--- /f', '+++ /f', '@@ -1 +1 @@', '-a', '\\ No newline at end of file', '+a'],
      [],
    ]);
  });
});

describe('modules that a service no longer runs', () => {
  it('are reported though the ready stack has a module of the same name', () => {
    const files = memoryFiles({
      'common-auth':
        'auth requisite pam_succeed_if.so user notingroup banned\nauth requisite pam_unix.so\nauth required pam_permit.so\n',
      login: '@include common-auth\naccount required pam_permit.so\n',
    });
    const { lost } = planEnable(files, 'login', 'sallyport-login');
    assert.deepEqual(
      lost.map(({ text }) => text),
      ['auth requisite pam_succeed_if.so user notingroup banned'],
    );
  });
});

describe("root's console fallback of earlier releases", () => {
  const debian = distribution('debian-12');
  const older = `auth requisite pam_unix.so\n${olderWayIn}auth required pam_permit.so\n`;
  const codesOf = (files: PamFiles, service: string) => checkService(files, service).map(({ code }) => code);
  const inPlace = (text: string, target: string) =>
    text.replace(/^@include common-auth$/m, `@include ${target}`);

  it('is bound to login in the installed ready stack, and edits stay', () => {
    const edited = older.replace('tty1:', 'tty1:ttyAMA0:');
    const files = memoryFiles({
      ...debian,
      login: inPlace(debian.login ?? '', 'sallyport-login'),
      'sallyport-login': `# mine\n${edited}`,
    });
    const plan = planEnable(files, 'login', 'sallyport-login');
    assert.deepEqual(
      plan.files.map(({ path }) => path),
      ['/etc/pam.d/sallyport-login'],
    );
    const text = plan.files[0]?.after ?? '';
    assert.equal(text.replace('service = login ', ''), `# mine\n${edited}`);
    assert.match(text, /quiet service = login uid = 0 /);
    assert.deepEqual(codesOf(plan.after, 'login'), ['roots-way-in']);
    assert.deepEqual(planEnable(plan.after, 'login', 'sallyport-login').files, []);
  });

  it('gives a service that it affected through common-auth a separate stack, under all names of the program', () => {
    const files = memoryFiles({ ...debian, 'common-auth': older });
    for (const [service, names] of [
      ['su', ['su', 'su-l']],
      ['sudo', ['sudo', 'sudo-i']],
    ] as const) {
      for (const name of names) assert.ok(codesOf(files, name).includes('way-around'), name);
      const plan = planProgram(files, service, `sallyport-${service}`);
      for (const name of names) assert.ok(!codesOf(plan.after, name).includes('way-around'), `${name} after`);
      assert.equal(
        plan.files.some(({ path }) => path.endsWith('/common-auth')),
        false,
      );
    }
  });
});
