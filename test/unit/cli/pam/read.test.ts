import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pamFiles } from '../../../../cli/pam/files.ts';
import { parseLines } from '../../../../cli/pam/lines.ts';
import { filesOf, placeOf, readStack, servicesReaching } from '../../../../cli/pam/read.ts';
import { Stacks } from '../../../support/pam-stacks.ts';
import { fc } from '../../../support/property.ts';

const stacks = new Stacks();
const permit = 'auth required pam_permit.so\n';

/** The description of each is what libpam itself does with it. */
const written: Readonly<Record<string, string>> = {
  'one line': permit,
  'upper case': 'AUTH Required pam_permit.so\n',
  'tabs and spaces': '  auth\trequired \t pam_permit.so\n',
  'no end of the last line': 'auth required pam_permit.so',
  'nothing of auth': 'account required pam_permit.so\n',
  'an empty file': '',
  'a comment behind the line': 'auth required pam_permit.so#x\n',
  'a comment cuts options': 'auth required pam_debug.so auth=perm_denied#x\n',
  'a line that goes on': 'auth required \\\n pam_permit.so\n',
  'a backslash with a space behind it': 'auth required pam_permit.so \\ \nauth required pam_deny.so\n',
  'a backslash in a comment': 'auth required pam_permit.so # \\\nauth required pam_deny.so\n',
  'a backslash in a comment alone': `${permit}# \\\nauth required pam_deny.so\n`,
  'a backslash parts words': 'auth required pam_\\\npermit.so\n',
  'a backslash at the end of the file': 'auth required pam_permit.so \\',
  'a carriage return': 'auth required pam_permit.so\r\n',
  'a byte order mark': '\xef\xbb\xbfauth required pam_permit.so\n',
  'a module that is missing': `auth required nomodule.so\n${permit}`,
  'a quiet one that is missing': `-auth required nomodule.so\n${permit}`,
  'an optional one that is missing': `auth optional nomodule.so\n${permit}`,
  'no phase': `auht required pam_permit.so\n${permit}`,
  'no control': `auth\n${permit}`,
  'no module': `auth required\n${permit}`,
  'an unknown control': `auth bogus pam_permit.so\n${permit}`,
  'an unknown answer': `auth [bogus=ok] pam_permit.so\n${permit}`,
  'an unknown action': `auth [success=bogus] pam_permit.so\n${permit}`,
  'a jump of none': `auth [success=0 default=bad] pam_permit.so\n${permit}`,
  'a negative jump': 'auth [success=ok default=-1] pam_permit.so\n',
  'an answer in upper case': 'auth [Success=ok default=bad] pam_permit.so\n',
  'an action in upper case': 'auth [success=OK default=bad] pam_permit.so\n',
  'brackets with spaces': 'auth [ success = ok default=bad ] pam_permit.so\n',
  'brackets with nothing': `auth [] pam_permit.so\n${permit}`,
  'brackets without a space behind': 'auth [success=ok default=bad ]pam_permit.so\n',
  'brackets with commas': 'auth [success=ok,default=bad] pam_permit.so\n',
  'brackets that stay open': `auth [success=ok default=bad pam_permit.so\n${permit}`,
  'no brackets': 'auth success=ok pam_permit.so\n',
  'no default': `auth [success=ok] pam_debug.so auth=auth_err\n${permit}`,
  'one answer twice': `auth [success=ok success=die default=ignore] pam_permit.so\n${permit}`,
  'the default first': `auth [default=ignore success=die] pam_permit.so\n${permit}`,
  'a module in brackets': 'auth required [pam_permit.so]\n',
  'an option in brackets': 'auth required pam_debug.so [auth=auth_err]\n',
  'a jump':
    'auth [success=1 default=bad] pam_permit.so\nauth required pam_deny.so\nauth required pam_permit.so\n',
  'a jump to the end': 'auth [success=1 default=bad] pam_permit.so\nauth required pam_deny.so\n',
  'a jump beyond the end': `auth [success=5 default=bad] pam_permit.so\n${permit}`,
  'nothing but ignore': 'auth required pam_debug.so auth=ignore\n',
  'an include': 'auth include @/good\n',
  'an @include': '@include @/good\n',
  'an @Include with more words': '@Include @/good extra\n',
  'an @include of everything within an include of auth': 'auth include @/at\n',
  'a missing include': `auth include @/none\n${permit}`,
  'a missing substack': `auth substack @/none\n${permit}`,
  'a missing quiet include': `-auth include @/none\n${permit}`,
  'a missing @include': `${permit}@include @/none\n`,
  'a missing include of another phase': `${permit}account include @/none\n`,
  'an include of nothing': `${permit}auth include\n`,
  'an @include of nothing': `${permit}@include\n`,
  'an @include of itself': `@include @/service\n${permit}`,
  'an @include of a directory': `@include @/directory\n${permit}`,
  'an include of a directory': `auth include @/directory\n${permit}`,
  'a substack that is a directory': `auth substack @/directory\n${permit}`,
  'a jump over a substack that is a directory': `auth [success=1 default=bad] pam_permit.so\nauth substack @/directory\n${permit}`,
  'a jump over an include of a directory': `auth [success=1 default=bad] pam_permit.so\n@include @/directory\nauth required pam_deny.so\n${permit}`,
  'nothing but a directory': '@include @/directory\n',
  'an @include of a link to itself': `@include @/circle\n${permit}`,
  'an include of a link to nowhere': `auth include @/nowhere\n${permit}`,
  'a substack that dies': `auth substack @/dies\n${permit}`,
  'a substack that is done': 'auth substack @/done\nauth required pam_deny.so\n',
  'an include that is done': 'auth include @/done\nauth required pam_deny.so\n',
  'a jump over a substack': `auth [success=1 default=bad] pam_permit.so\nauth substack @/dies\n${permit}`,
  'a jump into an include': `auth [success=1 default=bad] pam_permit.so\nauth include @/dies\n${permit}`,
};

describe('a stack', () => {
  stacks.write('good', 'account required pam_deny.so\nauth required pam_permit.so\n');
  stacks.write('at', '@include @/good\n');
  stacks.write('dies', 'auth requisite pam_deny.so\nauth required pam_permit.so\n');
  stacks.write('done', 'auth sufficient pam_permit.so\nauth required pam_deny.so\n');

  mkdirSync(join(stacks.directory, 'directory'));
  symlinkSync('circle', join(stacks.directory, 'circle'));
  symlinkSync('none', join(stacks.directory, 'nowhere'));

  for (const [name, text] of Object.entries(written))
    it(`is read as libpam reads it: ${name}`, () => {
      stacks.write('service', text);
      assert.equal(stacks.reported('service'), stacks.libpam('service'));
    });

  it('is refused if versions of libpam differ', () => {
    for (const text of [
      'auth required \\\n# c\n pam_permit.so\n',
      'auth required pam_permit.so \\\n\nauth required pam_deny.so\n',
      `auth include @/service\n${permit}`,
    ]) {
      stacks.write('service', text);
      assert.equal(stacks.stack('service').entries[0]?.kind, 'broken', text);
    }
  });

  it('of substacks has libpam’s limit', () => {
    for (let n = 0; n < 20; n += 1) stacks.write(`deep${n}`, `auth substack @/deep${n + 1}\n`);
    stacks.write('deep20', permit);
    for (const n of [0, 3, 4, 5, 6, 10]) {
      stacks.write('service', `auth substack @/deep${n}\n`);
      assert.equal(stacks.reported('service'), stacks.libpam('service'), `${20 - n + 1} deep`);
    }
  });

  it('uses "other" only for a phase that it does not configure', () => {
    const own = new Stacks();
    own.write('other', 'auth required pam_deny.so\naccount required pam_permit.so\n');
    own.write('service', 'account required pam_deny.so\n');
    for (const service of ['service', 'nothing-of-this-name']) {
      assert.equal(own.libpam(service), 'auth_err');
      assert.equal(own.reported(service), 'auth_err');
      assert.equal(own.stack(service).other, true);
    }
    assert.equal(readStack(own.files, 'service', 'account').other, false);
  });

  const answer = fc.constantFrom(
    'success',
    'ignore',
    'auth_err',
    'user_unknown',
    'new_authtok_reqd',
    'perm_denied',
  );
  const action = fc.constantFrom('ok', 'done', 'bad', 'die', 'ignore', 'reset', '1', '2', '3');
  const control = fc.oneof(
    fc.constantFrom('required', 'requisite', 'sufficient', 'optional'),
    fc.tuple(action, action, action).map(([a, b, c]) => `[success=${a} user_unknown=${b} default=${c}]`),
  );
  const module = fc.tuple(control, answer).map(([how, what]) => `auth ${how} pam_debug.so auth=${what}\n`);
  const including = (name: string) =>
    fc.constantFrom(`auth include @/${name}\n`, `auth substack @/${name}\n`, `@include @/${name}\n`);
  const file = (inner?: string) =>
    fc
      .array(inner === undefined ? module : fc.oneof({ weight: 3, arbitrary: module }, including(inner)), {
        minLength: 1,
        maxLength: 6,
      })
      .map((lines) => lines.join(''));

  it('of any lines, includes and substacks ends as in libpam', () => {
    fc.assert(
      fc.property(file('first'), file('second'), file(), (service, first, second) => {
        stacks.write('second', second);
        stacks.write('first', first);
        stacks.write('service', service);
        assert.equal(stacks.reported('service'), stacks.libpam('service'));
      }),
      { numRuns: 400 },
    );
  });

  it('may be any bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'auth []=\\#\n\t-@include.so') }), (text) => {
        parseLines(text, 'f');
      }),
    );
  });
});

describe('what includes what', () => {
  const own = new Stacks();
  own.write('common', permit);
  own.write('su', 'auth sufficient pam_rootok.so\n@include @/common\n');
  own.write('su-l', 'auth include @/su\n');
  own.write('cron', 'account required pam_permit.so\n');
  own.write('su.dpkg-old', '@include @/common\n');

  it('is reported with the path of includes', () => {
    const lines = readStack(own.files, 'su-l', 'auth').entries;
    assert.deepEqual(
      lines.map(({ line, via }) =>
        [...via.map(placeOf), placeOf(line)].map((at) => at.slice(own.directory.length + 1)),
      ),
      [
        ['su-l:1', 'su:1'],
        ['su-l:1', 'su:2', 'common:1'],
      ],
    );
    assert.deepEqual(
      filesOf(own.files, 'su-l').map((path) => path.slice(own.directory.length + 1)),
      ['su-l', 'su', 'common'],
    );
  });

  it('is reported in reverse: the services that a change affects', () => {
    assert.deepEqual(servicesReaching(own.files, `${own.directory}/common`), ['common', 'su', 'su-l']);
    assert.deepEqual(servicesReaching(own.files, `${own.directory}/su`), ['su', 'su-l']);
  });

  it('is found in the first directory that has it', () => {
    const second = new Stacks();
    second.write('cron', permit);
    second.write('only-here', permit);
    const both = pamFiles([own.directory, second.directory, '/nonexistent']);
    assert.equal(both.read('cron')?.path, `${own.directory}/cron`);
    assert.equal(both.read('only-here')?.path, `${second.directory}/only-here`);
    assert.deepEqual(both.names(), ['common', 'cron', 'only-here', 'su', 'su-l']);
  });
});
