import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { lengthOfTime } from '../../../../cli/lib/option-values.ts';
import { lengthText } from '../../../../cli/lib/time.ts';
import { stackFor } from '../../../../cli/pam/plan.ts';
import { dropIns, isService, isServiceName } from '../../../../cli/pam/services.ts';
import { disagreements, fittingStack } from '../../../../cli/pam/sshd.ts';
import { projectRoot } from '../../../support/project.ts';

const settings = (text: string) =>
  new Map(text.split('; ').map((one) => one.split(/ (.*)/s) as [string, string]));

describe('the factor before the code in sshd', () => {
  it('is what sshd requires today, if that is one thing', () => {
    const cases: readonly (readonly [string, string | undefined])[] = [
      [
        'passwordauthentication no; kbdinteractiveauthentication no; pubkeyauthentication yes',
        'sallyport-sshd-key',
      ],
      [
        'passwordauthentication yes; kbdinteractiveauthentication no; pubkeyauthentication no',
        'sallyport-sshd',
      ],
      [
        'passwordauthentication no; kbdinteractiveauthentication yes; pubkeyauthentication no',
        'sallyport-sshd',
      ],
      ['passwordauthentication yes; kbdinteractiveauthentication no; pubkeyauthentication yes', undefined],
      ['passwordauthentication no; kbdinteractiveauthentication yes; pubkeyauthentication yes', undefined],
    ];
    for (const [text, stack] of cases) assert.equal(fittingStack(settings(text)), stack, text);
  });
});

describe('a drop-in', () => {
  for (const name of Object.values(dropIns)) {
    const text = readFileSync(join(projectRoot, 'pam-config/sshd_config.d', name), 'utf8');
    const pairs = [...text.matchAll(/^([A-Z]\w+) (.*)$/gm)].map(
      (match) => [`${match[1]}`.toLowerCase(), `${match[2]}`] as const,
    );
    it(`${name} is active when sshd reports each of its lines`, () => {
      assert.ok(pairs.length >= 4);
      assert.deepEqual(disagreements(text, new Map(pairs)), []);
      for (const [keyword, value] of pairs) {
        const [found, ...others] = disagreements(text, new Map([...pairs, [keyword, 'other']]));
        assert.deepEqual(others, []);
        assert.ok(found?.includes(`other instead of ${value}`), found);
      }
    });
  }
});

describe('names', () => {
  it('of services are files of one directory', () => {
    for (const name of ['sshd', 'su-l', 'polkit-1', 'gdm-password', 'lightdm.service'])
      assert.ok(isServiceName(name), name);
    for (const name of [
      '',
      '.',
      '..',
      '../shadow',
      '/etc/shadow',
      'a/b',
      '-x',
      'a b',
      'a\n',
      '.hidden',
      'x'.repeat(80),
    ])
      assert.ok(!isServiceName(name), name);
  });

  it('of shared files are not services', () => {
    for (const name of ['common-auth', 'system-auth', 'password-auth', 'postlogin', 'sallyport-sshd'])
      assert.ok(!isService(name));
  });

  it('of stacks are with or without the common prefix', () => {
    const known = ['sallyport-sudo', 'sallyport-one-prompt'];
    assert.equal(stackFor('ftp', 'one-prompt', known), 'sallyport-one-prompt');
    assert.equal(stackFor('ftp', 'sallyport-sudo', known), 'sallyport-sudo');
    assert.equal(stackFor('i3lock', undefined, known), 'sallyport-locker');
    assert.throws(() => stackFor('ftp', 'none', known), /choose one of: sudo, one-prompt/);
    assert.throws(() => stackFor('ftp', undefined, known), /--stack/);
    assert.throws(() => stackFor('constructor', undefined, known), /--stack/);
  });
});

describe('a length of time', () => {
  it('is in seconds, minutes, hours or days, within its bounds', () => {
    const read = lengthOfTime(5_000, 86_400_000);
    for (const [text, ms] of [
      ['5s', 5_000],
      ['90s', 90_000],
      ['10m', 600_000],
      ['2h', 7_200_000],
      ['1d', 86_400_000],
    ] as const)
      assert.equal(read(text), ms);
    for (const text of ['', 'm', '5', '10 m', '-5', '1.5m', '10w', '1e3', '4s', '86401s'])
      assert.throws(() => read(text), /from 5s to 1d/, text);
  });

  it('is printed in the largest unit that fits', () => {
    for (const [seconds, text] of [
      [0, '0 s'],
      [59.9, '59 s'],
      [600, '10 min'],
      [3599, '59 min'],
    ] as const)
      assert.equal(lengthText(seconds), text);
  });
});
