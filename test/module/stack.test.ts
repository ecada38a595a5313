import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { askThen, pam, prompt, result, say } from '../support/fake-daemon.ts';
import { answer, type LoginOptions, ModuleRig, type Outcome, openFiles } from '../support/module-rig.ts';

/** The module among others in a stack: the password it takes or passes on, the other entry points, libpam. */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

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

  it('sets nothing if nothing was asked', async () => {
    const place = rig.place();
    await place.listen(say(result(pam.ignore)));
    const outcome = await place.login({ options: ['password_and_code'], probe: ['authtok=before'] });
    assert.equal(outcome.code, pam.ignore);
    assert.equal(outcome.module.authtok, 'before');
  });
});

describe('use_first_pass', { concurrency: 4 }, () => {
  it('answers with the password already set, without a prompt', async () => {
    const login = { options: ['use_first_pass'], probe: ['authtok=hunter2755224'], words: [answer('other')] };
    const { outcome, heard } = await passOn(login, pam.success, 6);
    assert.equal(outcome.code, pam.success);
    assert.equal(outcome.module.authtok, 'hunter2');
    assert.deepEqual(outcome.messages, []);
    assert.deepEqual(heard, ['hello', 'hunter2755224']);
  });

  it('without one: CANCEL, then AUTH_ERR', async () => {
    const { outcome, heard } = await passOn(
      { options: ['use_first_pass'], words: [answer('x')] },
      pam.success,
      0,
    );
    assert.equal(outcome.code, pam.authErr);
    assert.deepEqual(heard, ['hello', 'cancel']);
  });

  it('with one over 1024 bytes: CANCEL, then AUTH_ERR', async () => {
    const login = { options: ['use_first_pass'], probe: ['authtok-length=1024'] };
    assert.equal((await passOn(login, pam.success, 0)).outcome.code, pam.success);
    const longer = { options: ['use_first_pass'], probe: ['authtok-length=1025'] };
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
    const outcome = await place.login({ options: ['use_first_pass'], probe: ['authtok=hunter2'] });
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
      // libpam runs chauthtok twice: a preliminary check, then the change.
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
    writeFileSync(path.join(place.directory, 'direct'), `${body.join('\n')}\n`);
    writeFileSync(path.join(place.directory, 'other'), 'auth required pam_deny.so\n');
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

  it('IGNORE never replaces the password', async () => {
    const lines = ['auth sufficient SALLYPORT', 'auth required pam_deny.so'];
    assert.match(await stack(lines, pam.ignore), /"event":"end","code":7/);
  });
});

describe('a program that runs with 0, 1 and 2 closed', () => {
  it('gets no socket on these descriptors', async () => {
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
