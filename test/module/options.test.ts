import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { pam, result, say } from '../support/fake-daemon.ts';
import { ModuleRig } from '../support/module-rig.ts';

/** Options of the line in pam.d. */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

describe('an unknown option', { concurrency: 4 }, () => {
  const socket = 'socket=/run/sallyport/pam.sock';
  const bad: readonly (readonly string[])[] = [
    ['nullok'],
    [''],
    ['Debug'],
    ['debug=1'],
    ['debug', 'debug'],
    ['no_terminal=1'],
    ['no_terminal', 'no_terminal'],
    ['first_factor'],
    ['first_factor='],
    ['first_factor=yes'],
    ['first_factor=passed '],
    ['first_pass', 'password_and_code'],
    ['password_and_code', 'first_pass'],
    ['first_pass', 'first_pass'],
    ['use_first_pass', 'password_and_code'],
    ['password_and_code', 'use_first_pass'],
    ['use_first_pass', 'first_pass'],
    ['use_first_pass=1'],
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

  it('a path of 107 bytes is accepted, for root', async () => {
    const { code } = await rig.place().login({ rawOptions: [`socket=/${'x'.repeat(106)}`] });
    assert.equal(code, pam.authinfoUnavail);
  });

  it('a path that leaves no room for pam-user.sock is refused, for others', async () => {
    const login = (length: number) =>
      rig.place().login({ uid: 65534, rawOptions: [`socket=/${'x'.repeat(length)}/s`] });
    assert.equal((await login(93)).code, pam.serviceErr);
    assert.equal((await login(92)).code, pam.systemErr);
  });
});

describe('valid options', { concurrency: 4 }, () => {
  for (const words of [
    ['timeout=5'],
    ['timeout=600'],
    ['server_uid=0'],
    ['server_uid=4294967294'],
    ['debug'],
    ['no_terminal'],
  ]) {
    it(words.join(' '), async () => {
      const place = rig.place();
      await place.listen(say(result(pam.ignore)));
      assert.equal((await place.login({ options: words })).code, pam.ignore);
    });
  }
});
