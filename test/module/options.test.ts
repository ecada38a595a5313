import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { askThen, pam, prompt, result, say } from '../support/fake-daemon.ts';
import { answer, type LoginOptions, ModuleRig, type Outcome, openFiles } from '../support/module-rig.ts';

/** What the line in pam.d says, and what the other five entry points answer. */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

describe('an option that is not understood', { concurrency: 4 }, () => {
  const socket = 'socket=/run/sallyport/pam.sock';
  const bad: readonly (readonly string[])[] = [
    ['nullok'],
    [''],
    ['Debug'],
    ['debug=1'],
    ['debug', 'debug'],
    ['first_factor'],
    ['first_factor='],
    ['first_factor=yes'],
    ['first_factor=passed '],
    ['first_pass', 'password_and_code'],
    ['password_and_code', 'first_pass'],
    ['first_pass', 'first_pass'],
    ['timeout'],
    ['timeout='],
    ['timeout=4'],
    ['timeout=601'],
    ['timeout=+10'],
    ['timeout=10s'],
    ['timeout=0x10'],
    ['timeout= 10'],
    ['timeout=18446744073709551626'],
    ['timeout=10', 'timeout=20'],
    ['server_uid='],
    ['server_uid=-1'],
    ['server_uid=4294967295'],
    ['server_uid=4294967296'],
    ['server_uid=sallyport'],
  ];
  for (const words of bad) {
    it(`${JSON.stringify(words)}: SERVICE_ERR, a line in the log, no connection`, async () => {
      const place = rig.place();
      const daemon = await place.listen(say(result(pam.success)));
      const outcome = await place.login({ options: words });
      assert.equal(outcome.code, pam.serviceErr);
      assert.equal(daemon.peers.length, 0);
      assert.ok(outcome.logs.some((line) => line.includes(`option "${words.at(-1)}"`)));
    });
  }

  for (const word of [
    'socket=',
    'socket=run/pam.sock',
    'socket=@abstract',
    'socket=/run/',
    `socket=/${'x'.repeat(107)}`,
  ]) {
    it(`${word.slice(0, 30)}: SERVICE_ERR`, async () => {
      assert.equal((await rig.place().login({ rawOptions: [word] })).code, pam.serviceErr);
    });
  }

  it('socket= twice: SERVICE_ERR', async () => {
    assert.equal((await rig.place().login({ rawOptions: [socket, socket] })).code, pam.serviceErr);
  });

  it('a path of 107 bytes is one, for root', async () => {
    const { code } = await rig.place().login({ rawOptions: [`socket=/${'x'.repeat(106)}`] });
    assert.equal(code, pam.authinfoUnavail);
  });

  it('a path beside which pam-user.sock does not fit is none, for others', async () => {
    const login = (length: number) =>
      rig.place().login({ uid: 65534, rawOptions: [`socket=/${'x'.repeat(length)}/s`] });
    assert.equal((await login(93)).code, pam.serviceErr);
    assert.equal((await login(92)).code, pam.systemErr);
  });
});

describe('options that are right', { concurrency: 4 }, () => {
  for (const words of [
    ['timeout=5'],
    ['timeout=600'],
    ['server_uid=0'],
    ['server_uid=4294967294'],
    ['debug'],
  ]) {
    it(words.join(' '), async () => {
      const place = rig.place();
      await place.listen(say(result(pam.ignore)));
      assert.equal((await place.login({ options: words })).code, pam.ignore);
    });
  }
});

interface Passed {
  readonly outcome: Outcome;
  readonly heard: readonly string[];
}

async function passOn(login: LoginOptions, code: number, strip: number): Promise<Passed> {
  const place = rig.place();
  const daemon = await place.listen(askThen(result(code, strip)));
  const outcome = await place.login(login);
  await daemon.peers[0]?.end();
  const heard =
    daemon.peers[0]?.received.map(({ type, fields }) => fields.get(0x20)?.toString() ?? type) ?? [];
  return { outcome, heard };
}

describe('password_and_code', { concurrency: 4 }, () => {
  const typed = { options: ['password_and_code'], words: [answer('hunter2755224')] };
  const cases: readonly (readonly [
    code: number,
    strip: number,
    expected: number,
    authtok: string | undefined,
  ])[] = [
    [pam.success, 6, pam.success, 'hunter2'],
    [pam.success, 0, pam.success, 'hunter2755224'],
    [pam.success, 13, pam.success, ''],
    [pam.success, 14, pam.systemErr, undefined],
    [pam.success, 65_535, pam.systemErr, undefined],
    [pam.ignore, 0, pam.ignore, 'hunter2755224'],
    [pam.ignore, 6, pam.systemErr, undefined],
    [pam.authErr, 0, pam.authErr, undefined],
    [pam.authErr, 6, pam.systemErr, undefined],
    [pam.systemErr, 0, pam.systemErr, undefined],
  ];
  for (const [code, strip, expected, authtok] of cases) {
    it(`RESULT ${code} with strip ${strip}: ${expected}, the password is ${authtok ?? 'untouched'}`, async () => {
      const { outcome, heard } = await passOn(typed, code, strip);
      assert.equal(outcome.code, expected);
      assert.equal(outcome.module.authtok, authtok);
      assert.deepEqual(heard, ['hello', 'hunter2755224']);
    });
  }

  it('keeps the last answer', async () => {
    const place = rig.place();
    await place.listen(async (peer) => {
      await peer.next();
      peer.send(prompt());
      await peer.next();
      peer.send(prompt());
      await peer.next();
      peer.send(result(pam.success, 6));
      await peer.end();
    });
    const words = [answer('a-longer-wrong-one000000'), answer('right755224')];
    const outcome = await place.login({ options: ['password_and_code'], words });
    assert.equal(outcome.code, pam.success);
    assert.equal(outcome.module.authtok, 'right');
  });

  it('sets nothing when nothing was asked', async () => {
    const place = rig.place();
    await place.listen(say(result(pam.ignore)));
    const outcome = await place.login({ options: ['password_and_code'], probe: ['authtok=before'] });
    assert.equal(outcome.code, pam.ignore);
    assert.equal(outcome.module.authtok, 'before');
  });
});

describe('first_pass', { concurrency: 4 }, () => {
  it('answers with the password that is there, and asks nobody', async () => {
    const login = { options: ['first_pass'], probe: ['authtok=hunter2755224'], words: [answer('other')] };
    const { outcome, heard } = await passOn(login, pam.success, 6);
    assert.equal(outcome.code, pam.success);
    assert.equal(outcome.module.authtok, 'hunter2');
    assert.deepEqual(outcome.messages, []);
    assert.deepEqual(heard, ['hello', 'hunter2755224']);
  });

  it('without one: CANCEL, then AUTH_ERR', async () => {
    const { outcome, heard } = await passOn(
      { options: ['first_pass'], words: [answer('x')] },
      pam.success,
      0,
    );
    assert.equal(outcome.code, pam.authErr);
    assert.deepEqual(heard, ['hello', 'cancel']);
  });

  it('with one over 1024 bytes: CANCEL, then AUTH_ERR', async () => {
    const login = { options: ['first_pass'], probe: ['authtok-length=1024'] };
    assert.equal((await passOn(login, pam.success, 0)).outcome.code, pam.success);
    const longer = { options: ['first_pass'], probe: ['authtok-length=1025'] };
    assert.equal((await passOn(longer, pam.success, 0)).outcome.code, pam.authErr);
  });

  it('a second PROMPT is a violation', async () => {
    const place = rig.place();
    await place.listen(async (peer) => {
      await peer.next();
      peer.send(prompt());
      await peer.next();
      peer.send(prompt());
      await peer.next();
      peer.send(result(pam.success));
      await peer.end();
    });
    const outcome = await place.login({ options: ['first_pass'], probe: ['authtok=hunter2'] });
    assert.equal(outcome.code, pam.systemErr);
    assert.equal(outcome.module.authtok, 'hunter2');
  });

  it('in mode prompt PAM_AUTHTOK stays what it was', async () => {
    const { outcome, heard } = await passOn(
      { probe: ['authtok=hunter2'], words: [answer('1')] },
      pam.success,
      0,
    );
    assert.equal(outcome.module.authtok, 'hunter2');
    assert.deepEqual(heard, ['hello', '1']);
  });
});

describe('the other entry points open no socket', { concurrency: 4 }, () => {
  for (const [phase, code] of [
    ['setcred', pam.success],
    ['acct', pam.ignore],
    ['open', pam.ignore],
    ['close', pam.ignore],
    ['chauthtok', pam.ignore],
  ] as const) {
    it(`${phase}: ${code}, whatever the options`, async () => {
      const place = rig.place();
      const daemon = await place.listen(say(result(pam.authErr)));
      const outcome = await place.login({ words: [`phase=${phase}`], options: ['nonsense'] });
      // libpam runs chauthtok twice: a look first, then the change.
      for (const module of outcome.modules) assert.equal(module.code, code);
      assert.equal(daemon.peers.length, 0);
    });
  }
});

describe('loaded by libpam itself', { concurrency: 4 }, () => {
  async function stack(lines: readonly string[], code: number): Promise<string> {
    const place = rig.place();
    await place.listen(say(result(code)));
    const body = lines.map((line) => line.replace('SALLYPORT', `${rig.module} socket=${place.socket}`));
    writeFileSync(path.join(place.folder, 'direct'), `${body.join('\n')}\n`);
    writeFileSync(path.join(place.folder, 'other'), 'auth required pam_deny.so\n');
    return place.drive('direct');
  }
  const shipped = ['auth requisite SALLYPORT', 'auth required pam_permit.so'];

  it('SUCCESS and IGNORE pass a stack that ends in pam_permit', async () => {
    assert.match(await stack(shipped, pam.success), /"event":"end","code":0/);
    assert.match(await stack(shipped, pam.ignore), /"event":"end","code":0/);
  });

  it('a refusal does not', async () => {
    for (const code of [pam.authErr, pam.maxtries, pam.permDenied, pam.systemErr]) {
      assert.match(await stack(shipped, code), new RegExp(`"event":"end","code":${code}\\b`));
    }
  });

  it('IGNORE never stands in for the password', async () => {
    const lines = ['auth sufficient SALLYPORT', 'auth required pam_deny.so'];
    assert.match(await stack(lines, pam.ignore), /"event":"end","code":7/);
  });
});

describe('a program that runs with 0, 1 and 2 closed', () => {
  it('gets no socket there', async () => {
    const place = rig.place();
    const files: string[] = [];
    const daemon = await place.listen(async (peer) => {
      await peer.next();
      files.push(...openFiles(login.child.pid));
      peer.send(result(pam.success));
      await peer.end();
    });
    const login = place.start({ words: ['close-std'] });
    assert.equal((await login.outcome).code, pam.success);
    assert.equal(daemon.peers.length, 1);
    assert.ok(files.some((file) => /^\d+:socket:/.test(file)));
    assert.deepEqual(
      files.filter((file) => /^[012]:/.test(file)),
      [],
    );
  });
});
