import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { scratch } from '../support/fido-rig.ts';
import {
  askFrame,
  askingModule,
  compileHelper,
  confdir,
  parts,
  RawPasswordHelper,
  verdictIn,
} from '../support/password-rig.ts';

/** What a stack can request and return, and the verdict that follows. */
const directory = scratch('password-stack');
const programs: string[] = [];
let module = '';
let stacks = 0;

before(async () => {
  programs.push(...(await Promise.all([compileHelper('asan'), compileHelper('plain')])));
  module = await askingModule();
});
after(() => directory.remove());

/** A line for each option of test/native/pam_asks.c in `lines`; a line with a space is used unchanged. */
function stack(...lines: readonly string[]): readonly string[] {
  const written = lines.map((line) => (/^(auth|account) /.test(line) ? line.replace('ASKS', module) : ''));
  stacks += 1;
  return ['--confdir', confdir(path.join(directory.path, `stack-${stacks}`), written)];
}
const asks = (options = '') => stack(`auth required ASKS ${options}`, `account required ASKS ${options}`);

async function verdicts(args: readonly string[], expected: string, bytes = askFrame()): Promise<void> {
  for (const program of programs) {
    const asked = await new RawPasswordHelper(program, args).send(bytes).ended;
    const seen = [asked.verdict, asked.code, asked.signal, asked.stderr];
    assert.deepEqual(seen, [expected, 0, null, ''], path.basename(program));
  }
}

const pam = {
  success: 0,
  openErr: 1,
  serviceErr: 3,
  systemErr: 4,
  bufErr: 5,
  permDenied: 6,
  authErr: 7,
  credInsufficient: 8,
  authinfoUnavail: 9,
  userUnknown: 10,
  maxtries: 11,
  newAuthtokReqd: 12,
  acctExpired: 13,
  credUnavail: 15,
  credExpired: 16,
  credErr: 17,
  convErr: 19,
  authtokErr: 20,
  ignore: 25,
  abort: 26,
  authtokExpired: 27,
};
type Code = keyof typeof pam;
const wrong: readonly Code[] = [
  'permDenied',
  'authErr',
  'userUnknown',
  'maxtries',
  'acctExpired',
  'credInsufficient',
  'credUnavail',
  'credExpired',
  'credErr',
  'authtokExpired',
  // libpam itself returns PERM_DENIED for a stack in which every module ignores the request.
  'ignore',
];
const others = (Object.keys(pam) as Code[]).filter(
  (code) => !['success', 'newAuthtokReqd', ...wrong].includes(code),
);

describe('results of the auth part', { concurrency: 2 }, () => {
  it('right, if the answer is the password', async () => {
    await verdicts(asks('password=correct-horse'), 'right');
    await verdicts(
      asks('password=correct-horse'),
      'wrong',
      askFrame({ password: parts.password('Correct-horse') }),
    );
  });
  for (const code of wrong) it(`wrong: ${code}`, () => verdicts(asks(`auth=${pam[code]}`), 'wrong'));
  for (const code of others) it(`failed: ${code}`, () => verdicts(asks(`auth=${pam[code]}`), 'failed'));
  it('expired, unless the account part returns worse', async () => {
    await verdicts(asks('auth=12'), 'expired');
    await verdicts(asks('auth=12 account=13'), 'wrong');
    await verdicts(asks('auth=12 account=4'), 'failed');
  });
});

describe('results of the account part', { concurrency: 2 }, () => {
  for (const code of wrong) it(`wrong: ${code}`, () => verdicts(asks(`account=${pam[code]}`), 'wrong'));
  for (const code of others) it(`failed: ${code}`, () => verdicts(asks(`account=${pam[code]}`), 'failed'));
  it('expired', () => verdicts(asks(`account=${pam.newAuthtokReqd}`), 'expired'));
  it('is ignored when the password is wrong', () =>
    verdicts(asks(`password=other account=${pam.newAuthtokReqd}`), 'wrong'));
});

describe('a stack with other requests fails, even if it succeeds in the end', {
  concurrency: 2,
}, () => {
  const failing: Readonly<Record<string, string>> = {
    'asks twice': 'prompts=2',
    'asks twice in one breath': 'prompts=2 together',
    'asks more often than PAM allows': 'prompts=33 together',
    'asks again for the account': 'account_asks',
    'shows what is typed': 'style=2',
    'wants bytes': 'style=7',
    'wants a choice': 'style=5',
    'wants nobody knows what': 'style=99',
    'takes the account for another': 'user=root',
  };
  for (const [what, options] of Object.entries(failing)) it(what, () => verdicts(asks(options), 'failed'));

  for (const style of [2, 5, 7, 99])
    it(`asks for the password, and then in style ${style}`, async () => {
      const lines = ['auth required ASKS password=correct-horse', `auth required ASKS style=${style}`];
      await verdicts(stack(...lines, 'account required ASKS'), 'failed');
      await verdicts(stack(...lines.reverse(), 'account required ASKS'), 'failed');
    });

  it('asks twice, and returns wrong', () => verdicts(asks(`prompts=2 auth=${pam.authErr}`), 'failed'));
  it('asks nothing: it has verified nothing', async () => {
    await verdicts(asks('prompts=0'), 'failed');
    await verdicts(asks(`prompts=0 auth=${pam.newAuthtokReqd}`), 'failed');
    await verdicts(stack('auth required pam_permit.so', 'account required pam_permit.so'), 'failed');
  });
  it('asks nothing, and refuses: a lockout may precede the prompt', async () => {
    await verdicts(asks(`prompts=0 auth=${pam.maxtries}`), 'wrong');
    await verdicts(stack('auth required pam_deny.so', 'account required pam_deny.so'), 'wrong');
  });
  it('asks only in the account part', () =>
    verdicts(stack('auth required pam_permit.so', 'account required ASKS account_asks'), 'failed'));
});

describe('a stack', { concurrency: 2 }, () => {
  it('may return any text', () => verdicts(asks('text password=correct-horse'), 'right'));

  // The requested delay is longer than this.
  it('that requests a delay gets none', { timeout: 600_000 }, () =>
    verdicts(asks('delay password=other'), 'wrong'),
  );

  it('that hangs is ended at the deadline, rounded up to a second', async () => {
    for (const program of programs) {
      const bytes = askFrame({ deadline: parts.deadline(200) });
      const asked = await new RawPasswordHelper(program, asks('hang')).send(bytes).ended;
      assert.deepEqual([asked.signal, asked.stdout.length], ['SIGALRM', 0]);
    }
  });

  it('that does not exist fails, and "other" is not used', async () => {
    const args = stack();
    const [, where = ''] = args;
    mkdirSync(`${where}/none`);
    writeFileSync(`${where}/none/other`, `auth required ${module}\naccount required ${module}\n`);
    await verdicts(['--confdir', `${where}/none`], 'failed');
    await verdicts(['--confdir', `${where}/nowhere`], 'failed');
    await verdicts(['--confdir', `/${'x/'.repeat(2_100)}`], 'failed');
  });

  it('that is empty or cannot be loaded accepts no login', async () => {
    for (const args of [stack(), stack('auth required pam_no_such.so'), stack('auth nonsense ASKS')]) {
      const [program = ''] = programs;
      const { verdict } = await new RawPasswordHelper(program, args).send(askFrame()).ended;
      assert.ok(verdict === 'failed' || verdict === 'wrong', `${args} ${verdict}`);
    }
  });

  it('without an account part accepts no login', async () => {
    const [program = ''] = programs;
    const { verdict } = await new RawPasswordHelper(program, stack('auth required ASKS')).send(askFrame())
      .ended;
    assert.ok(verdict === 'failed' || verdict === 'wrong', verdict);
  });
});

describe('around a stack', { concurrency: 2 }, () => {
  /** The plain build: sanitizers have their own descriptors and settings. */
  async function said(bytes: Buffer, owner: { uid?: number; gid?: number; env?: NodeJS.ProcessEnv } = {}) {
    const [, program = ''] = programs;
    const place = scratch('password-said');
    chmodSync(place.path, 0o777);
    const own = path.join(place.path, 'sallyport-password');
    const asking = path.join(place.path, 'asks.so');
    copyFileSync(program, own);
    copyFileSync(module, asking);
    const file = path.join(place.path, 'said');
    const where = confdir(path.join(place.path, 'pam.d'), [
      `auth required ${asking} say=${file}`,
      `account required ${asking}`,
    ]);
    const asked = await new RawPasswordHelper(own, ['--confdir', where], owner).send(bytes).ended;
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    place.remove();
    assert.equal(asked.verdict, 'right');
    return lines;
  }
  const env = { SECRET: 'hunter2', PATH: '/tmp', LD_BIND_NOW: '1' };

  it('PAM gets only the items that it needs, and nothing of the caller', async () => {
    assert.deepEqual(await said(askFrame(), { env }), [
      'service sallyport-password',
      'user alice',
      'rhost 192.0.2.7',
      'tty -',
      'ruser -',
      // PAM_SILENT and PAM_DISALLOW_NULL_AUTHTOK.
      'flags 8001',
      'core 0 0',
      'dumpable 0',
      'privileges 1',
      'umask 77',
      'alarm 10',
      'env PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      'fd 0',
      'fd 1',
      'fd 2',
    ]);
  });

  it('without a source none is set, and the time limit is the requested one', async () => {
    const lines = await said(askFrame({ source: parts.source(''), deadline: parts.deadline(29_001) }));
    assert.ok(lines.includes('rhost -') && lines.includes('alarm 30'), lines.join());
  });

  it('users other than root keep what unix_chkpwd needs to verify their own password', async () => {
    const lines = await said(askFrame(), { uid: 65534, gid: 65534 });
    assert.ok(lines.includes('privileges 0') && lines.includes('core 0 0'), lines.join());
  });

  it('does nothing when it is set-id', async () => {
    const [, program = ''] = programs;
    const raised = path.join(directory.path, 'raised');
    copyFileSync(program, raised);
    chmodSync(directory.path, 0o755);
    chmodSync(raised, 0o4755);
    for (const args of [[], asks()]) {
      const asked = await new RawPasswordHelper(raised, args, { uid: 65534, gid: 65534 }).send(askFrame())
        .ended;
      assert.deepEqual([asked.code, asked.stdout.length], [1, 0]);
    }
  });

  it('a verdict is never anything that was not written', () => {
    assert.equal(verdictIn(Buffer.alloc(9)), undefined);
  });
});
