import assert from 'node:assert/strict';
import { test } from 'node:test';
import { showOverview } from '../../../cli/overview.ts';
import { FakeMachine, noon } from '../../support/doctor-machine.ts';

/** `sallyport` without arguments: the state of a machine, and the suggested step. */

async function shown(machine: FakeMachine) {
  const facts = new Map<string, string>();
  const lines: string[] = [];
  await showOverview(machine, 'root', {
    facts: (pairs) => {
      for (const [name, value] of pairs) facts.set(name, value);
    },
    line: (text) => void lines.push(text),
    prose: (text) => void lines.push(text),
    command: (text) => void lines.push(text),
    time: (at) => new Date(at).toISOString(),
  });
  return { facts, lines: lines.filter((line) => line !== '') };
}

test('an active file is valid, and there is no trial', async () => {
  const { facts, lines } = await shown(new FakeMachine());
  assert.equal(facts.get('configuration'), 'valid and active');
  assert.equal(facts.has('trial'), false);
  assert.deepEqual(lines, ['nothing is left to do', 'all commands: sallyport --help']);
});

test('a file changed since it was loaded is not reported as valid', async () => {
  const machine = new FakeMachine();
  machine.change(machine.configFile, { changed: noon });
  const { facts } = await shown(machine);
  assert.match(facts.get('configuration') ?? '', /was changed after it was loaded.*sallyport reload/);
});

test('an invalid file is not reported as valid while an older one is active', async () => {
  const machine = new FakeMachine();
  machine.configText = '[[realm]]\nname = "x"\nrequire = "sometimes"\n';
  const { facts } = await shown(machine);
  assert.match(facts.get('configuration') ?? '', /:3: .*require.*\(.*sallyport realm check.*\)/);
});

test('an open trial is shown with its end, and its confirmation is the next step', async () => {
  const machine = new FakeMachine();
  machine.trialNow = { id: 'enable-sshd', services: ['sshd'], state: 'on-trial', left: 300 };
  const { facts, lines } = await shown(machine);
  assert.match(facts.get('trial') ?? '', /^trial of sshd: rolled back in 5 ?m/);
  assert.equal(lines[1], '  sallyport pam confirm');
});

test('a trial that is being rolled back cannot be confirmed any more', async () => {
  const machine = new FakeMachine();
  machine.trialNow = { id: 'enable-sshd', services: ['sshd'], state: 'putting-back' };
  const { facts, lines } = await shown(machine);
  assert.match(
    facts.get('trial') ?? '',
    /is being rolled back; if that does not finish, run: sallyport pam revert/,
  );
  assert.equal(lines[0], 'nothing is left to do');
});
