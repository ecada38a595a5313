import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { pubLine, publicKey, sshSkRecord } from '../../support/ssh-keys.ts';
import {
  answered,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  factorOf,
  makeRig,
  opened,
  put,
  type Rig,
  recordOf,
  totpFactor,
  wrongCode,
} from '../../support/verifier-rig.ts';
import { disabled, facts, overUserSocket, realm, rule } from '../policy/support.ts';

const accepting = realm({ rules: [rule({ kind: 'accept', factor: 'ssh-sk' }, { services: ['sshd'] })] });
const used: Partial<LoginFacts> = { sshKeys: [publicKey('blue')] };
const success = { kind: 'done', result: 'success' };
const blue = 's-blue';

describe('a key verified by sshd', () => {
  let rig: Rig;
  const open = (part: Partial<LoginFacts> = used) => rig.verifier.open(facts(part));
  const lastEvent = async () => (await eventsOf(rig)).at(-1);

  beforeEach(async () => {
    rig = makeRig(accepting);
    await put(rig, { factors: [totpFactor(), sshSkRecord('blue')], lock: { codes: 3, any: 5 } });
    rig.store.commits.length = 0;
  });

  it('is accepted without a prompt, in one commit that contains everything', async () => {
    assert.deepEqual(await open(), success);
    assert.equal(rig.store.commits.length, 1);
    const [commit] = rig.store.commits;
    assert.deepEqual([commit?.accounts.length, commit?.events.length, commit?.tokens ?? []], [1, 1, []]);
    const record = await recordOf(rig);
    assert.equal((await factorOf(rig, blue)).lastUsed, rig.clock.at);
    assert.equal((await factorOf(rig, 't1')).lastUsed, undefined);
    assert.deepEqual(record.lastLogin, { at: rig.clock.at, service: 'sshd', source: '203.0.113.5' });
    assert.deepEqual([record.lock, record.grants], [{ codes: 0, any: 0 }, []]);
    const event = await lastEvent();
    assert.deepEqual([event?.outcome, event?.reason, event?.realm], ['success', 'verified', 'everybody']);
    assert.deepEqual(event?.factor, { id: blue, kind: 'ssh-sk', name: 'blue' });
  });

  it('resets the failure count, and keeps a lockout of typed codes', async () => {
    const lock = { codes: 8, any: 8, codesLockedAt: rig.clock.at };
    await put(rig, { lock });
    assert.deepEqual(await open(), success);
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0, codesLockedAt: rig.clock.at });
  });

  it('is accepted only once its commit is durable', async () => {
    let reached: () => void = () => undefined;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const atCommit = new Promise<void>((resolve) => {
      reached = resolve;
    });
    rig.store.beforeNextCommit(async () => {
      reached();
      await held;
    });
    let said = false;
    const opening = open().then((value) => {
      said = true;
      return value;
    });
    await atCommit;
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(said, false);
    release();
    assert.deepEqual(await opening, success);
  });

  it('is decided again when its commit conflicts', async () => {
    rig.store.beforeNextCommit(async () => {
      await put(rig, { factors: [totpFactor(), disabled(sshSkRecord('blue'))] });
    });
    assert.equal((await open()).kind, 'ask');
    assert.equal((await eventsOf(rig)).length, 0);

    await put(rig, { factors: [sshSkRecord('blue')] });
    rig.store.beforeNextCommit(() => put(rig, { factors: [] }));
    assert.deepEqual((await open()).kind === 'done' && (await lastEvent())?.reason, 'no-factor');

    await put(rig, { factors: [sshSkRecord('blue')] });
    rig.store.beforeNextCommit(async () => {
      rig.setRealms(realm({ rules: [rule({ kind: 'refuse' })] }));
      await put(rig, {});
    });
    const refused = await open();
    assert.ok(refused.kind === 'done' && refused.result === 'perm-denied');
  });

  it('is accepted 64 times at once: sshd has verified each', async () => {
    rig.store.unsteady = true;
    const openings = await Promise.all(Array.from({ length: 64 }, () => open()));
    for (const opening of openings) assert.deepEqual(opening, success);
    assert.equal((await eventsOf(rig)).filter(({ outcome }) => outcome === 'success').length, 64);
  });

  it('is an error while the store cannot be written', async () => {
    rig.store.breakWrites('read-only');
    await assert.rejects(open(), { code: 'store-unwritable' });
    rig.store.breakWrites(undefined);
    assert.equal((await eventsOf(rig)).length, 0);
    assert.equal((await factorOf(rig, blue)).lastUsed, undefined);
  });

  it('is refused during a full lockout', async () => {
    await put(rig, { lock: { codes: 0, any: 100, lockedAt: rig.clock.at } });
    const opening = await open();
    assert.ok(opening.kind === 'done' && opening.result === 'maxtries');
    assert.equal((await lastEvent())?.reason, 'locked');
  });

  it('leads to a prompt if it is not enrolled, disabled, or not trusted', async () => {
    const asked: [string, Partial<LoginFacts>][] = [
      ['another key', { sshKeys: [publicKey('green')] }],
      ['no key', {}],
      ['not proven', { ...used, firstFactorVerified: false }],
      ['another service', { ...used, service: 'sudo' }],
      ['pam-user.sock', { ...used, ...overUserSocket }],
    ];
    for (const [what, part] of asked) assert.equal((await open(part)).kind, 'ask', what);
    await put(rig, { factors: [totpFactor(), disabled(sshSkRecord('blue'))] });
    assert.equal((await open()).kind, 'ask');
  });

  it('is not named in a prompt', async () => {
    const opening = await open({});
    assert.ok(opening.kind === 'ask' && opening.prompt === 'Verification code: ');
  });

  it('creates no grant', async () => {
    assert.deepEqual(await open(), success);
    rig.setRealms(realm({ rules: [rule({ kind: 'remember', forMs: 900_000 })] }));
    assert.equal((await open({})).kind, 'ask');
  });
});

describe('an answer that arrives after a rule began to accept the key', () => {
  it('is accepted because of the key, whatever was typed, and uses no code', async () => {
    const rig = makeRig(realm());
    await put(rig, { factors: [totpFactor(), sshSkRecord('blue')] });
    for (const [mode, text] of [
      ['prompt', codeNow(rig)],
      ['prompt', wrongCode(rig)],
      ['prompt', 'no shape at all'],
      ['password-and-code', `secret${codeNow(rig)}`],
    ] as const) {
      rig.setRealms(realm());
      const login = await opened(rig, { ...used, mode });
      rig.setRealms(accepting);
      const verdict = assertAccepted(await answered(rig, login, text));
      assert.equal(verdict.strip, 0);
      assert.equal((await eventsOf(rig)).at(-1)?.factor?.kind, 'ssh-sk');
    }
    assert.equal((await factorOf(rig, 't1')).lastUsed, undefined);
  });

  it('is verified as an answer if the key does not count', async () => {
    const rig = makeRig(accepting);
    await put(rig, { factors: [totpFactor(), sshSkRecord('blue')] });
    const login = await opened(rig, { sshKeys: [publicKey('green')] });
    assertRefused(await answered(rig, login, wrongCode(rig)));
    assertAccepted(await answered(rig, login, codeNow(rig)));
    assert.equal((await eventsOf(rig)).at(-1)?.factor?.kind, 'totp');
  });
});

describe('adding a key', () => {
  const request = { actor: 'uid:0', user: 'alice', kind: 'ssh-sk', verify: true } as const;

  it('stores its description, with one event, and needs no code', async () => {
    const rig = makeRig(accepting);
    const added = await rig.verifier.enrol({ ...request, publicKey: pubLine('blue') });
    assert.deepEqual([added.factor.kind, added.factor.name, added.warning], ['ssh-sk', 'SSH key', undefined]);
    const [stored] = (await recordOf(rig)).factors;
    assert.ok(stored?.kind === 'ssh-sk' && stored.enabled && stored.lastUsed === undefined);
    assert.equal(stored.publicKey, publicKey('blue'));
    const [event] = await eventsOf(rig);
    assert.deepEqual(
      [event?.kind, event?.reason, event?.factor?.kind],
      ['factor-added', 'unverified', 'ssh-sk'],
    );
    assert.deepEqual(await rig.verifier.open(facts(used)), success);
  });

  it('voids grants', async () => {
    const rig = makeRig(accepting);
    const grant = { realm: 'everybody', service: 'sshd', origin: 'ip:203.0.113.5', since: rig.clock.at };
    await put(rig, { factors: [totpFactor()], grants: [grant] });
    await rig.verifier.enrol({ ...request, publicKey: pubLine('blue') });
    assert.deepEqual((await recordOf(rig)).grants, []);
  });

  it('accepts one key once per account, whatever its comment, and on two accounts', async () => {
    const rig = makeRig(accepting);
    await rig.verifier.enrol({ ...request, publicKey: pubLine('blue') });
    const again = { ...request, name: 'other', publicKey: `${pubLine('blue')} again` };
    await assert.rejects(rig.verifier.enrol(again), {
      code: 'bad-key',
      message: /"SSH key".*nothing to add/,
    });
    await put(rig, { factors: [disabled(sshSkRecord('blue'))] });
    await assert.rejects(rig.verifier.enrol(again), { code: 'bad-key', message: /disabled; enable it/ });
    await rig.verifier.enrol({ ...request, user: 'bob', publicKey: pubLine('blue') });
    await rig.verifier.enrol({ ...request, publicKey: pubLine('red') });
  });

  it('is refused if only YubiKeys are accepted, and for other keys', async () => {
    const rig = makeRig(realm({ require: ['yubikey'] }));
    const publicKeyLine = pubLine('blue');
    await assert.rejects(rig.verifier.enrol({ ...request, publicKey: publicKeyLine }), {
      code: 'factor-kind-not-allowed',
    });
    rig.setRealms(accepting);
    await assert.rejects(rig.verifier.enrol({ ...request, publicKey: 'ssh-rsa AAAA' }), { code: 'bad-key' });
    assert.equal((await eventsOf(rig)).length, 0);
  });

  it('reports if no rule accepts it, and what to add', async () => {
    const rig = makeRig(realm());
    const first = await rig.verifier.enrol({ ...request, publicKey: pubLine('blue') });
    assert.match(first.warning ?? '', /realm "everybody".*\{ accept = "ssh-sk" \}$/);
    rig.setRealms(realm({ require: ['totp'] }));
    const second = await rig.verifier.enrol({ ...request, publicKey: pubLine('red') });
    assert.match(second.warning ?? '', /"ssh-sk" \}, and add "webauthn" to its require$/);
    const models = { aaguids: ['2fc0579f-8113-47ea-b116-bb5a8db9202a'], metadataFile: '/m' };
    rig.setRealms(realm({ webauthn: { ...accepting.webauthn, models } }));
    const third = await rig.verifier.enrol({ ...request, publicKey: pubLine('green') });
    assert.match(third.warning ?? '', /only certain models of security keys/);
  });

  it('is no factor for `verify`: nothing can be typed', async () => {
    const rig = makeRig(accepting);
    await put(rig, { factors: [sshSkRecord('blue')] });
    const answer = Buffer.from('123456');
    const verdict = await rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer });
    assert.deepEqual(verdict.outcome === 'refused' && verdict.reason, 'no-factor');
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
  });
});
