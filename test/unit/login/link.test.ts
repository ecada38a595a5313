import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { FrameLink, LinkEvents, Origin } from '../../../daemon/host/contract.ts';
import { Conversation } from '../../../daemon/login/conversation.ts';
import type { DaemonFrame, HelloFrame } from '../../../daemon/protocol/login.ts';
import { hostWith } from '../../support/host.ts';
import { LoginRig, until } from '../../support/login-rig.ts';

/** A login over a link that is not a socket, for a host other than this machine. */
class MemoryLink implements FrameLink {
  readonly origin: Origin = {
    host: hostWith({ bootId: 'of another machine', sessionIsLocal: async (session) => session === 'c7' }),
    socket: 'root',
    peerUid: 0,
  };
  readonly sent: (readonly DaemonFrame['type'][])[] = [];
  events: LinkEvents | undefined;
  closed = false;

  listen(events: LinkEvents): void {
    this.events = events;
  }

  send(frames: readonly DaemonFrame[]): void {
    assert.ok(!this.closed, 'nothing is sent on a closed link');
    this.sent.push(frames.map(({ type }) => type));
  }

  close(): void {
    this.closed = true;
    this.events?.closed();
  }
}

const hello: HelloFrame = {
  type: 'hello',
  service: 'login',
  user: 'alice',
  session: 'c7',
  realUid: 0,
  mode: 'prompt',
  firstFactorPassed: true,
  deadline: 100_000,
  flags: 0,
  terminal: false,
};

it('a login takes its facts from the host of its link, and sends related frames at once', async () => {
  const rig = await LoginRig.start();
  try {
    const link = new MemoryLink();
    rig.verifier.verdict = async () => ({
      kind: 'accepted',
      result: 'success',
      strip: 0,
      text: '3 recovery keys are left.',
    });
    const hosts: string[] = [];
    const { opening } = rig.verifier;
    rig.verifier.opening = async (facts, host) => {
      hosts.push(host.bootId);
      return opening(facts, host);
    };
    new Conversation(link, rig.options, () => ({ admitted: true }));
    link.events?.frame(hello);
    await until(() => link.sent.length === 1, 'a prompt');
    const [facts] = rig.verifier.asked;
    assert.deepEqual([facts?.bootId, facts?.local], ['of another machine', true]);
    assert.deepEqual(hosts, ['of another machine']);
    link.events?.frame({ type: 'answer', answer: Buffer.from('123456') });
    await until(() => link.closed, 'the end');
    assert.deepEqual(link.sent, [['prompt'], ['info', 'result']]);
  } finally {
    await rig.stop();
  }
});
