import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Approval, BrowserAnswer } from '../../../daemon/authenticators/approvals.ts';
import type { HostFacts } from '../../../daemon/host/contract.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { styles } from '../../../daemon/protocol/login.ts';
import { type Client, LoginRig, pam, until } from '../../support/login-rig.ts';
import { answer, cancel, u32, withdrawn } from '../../support/module-frames.ts';

/** Logins that can be approved in a browser: the screen and the outcome. */

let rig: LoginRig;
let raised: Approval[];
beforeEach(async () => {
  rig = await LoginRig.start();
  raised = [];
});
afterEach(() => rig.stop());

const question = {
  groups: [{ rpId: 'login.example.org', credentialIds: ['b25l'] }],
  userVerification: 'discouraged',
} as const;

/** @param typed possible typed factors; undefined: none */
function begin(
  terminal: boolean,
  typed: string | undefined = 'verification code',
  deadline?: number,
  linkShown = true,
): Client {
  rig.verifier.opening = async (facts: LoginFacts, host: HostFacts) => {
    const approval = rig.approvals.open(facts.user, facts, question, [{ kind: 'webauthn' } as never]);
    raised.push(approval);
    const offer = {
      place: 'approval',
      question,
      approval,
      linkShown,
      ...(typed === 'nothing' ? {} : { typed }),
    } as const;
    return { kind: 'ask', prompt: 'Code: ', login: { facts, host }, key: offer };
  };
  rig.verifier.verdict = async (login, text) =>
    text === '123456' || text === 'touched b25l'
      ? { kind: 'accepted', result: 'success', strip: 0 }
      : { kind: 'refused', result: 'auth-err', again: true, delay: 0, login, text: 'Wrong.' };
  return rig.begun({
    ...(terminal ? { terminal: Buffer.from([1]) } : {}),
    ...(deadline === undefined ? {} : { deadline: u32(deadline) }),
  });
}

const given = (signature: string): BrowserAnswer => ({
  credentialId: 'b25l',
  clientDataJSON: '',
  authenticatorData: '',
  signature: Buffer.from(signature).toString('base64url'),
});
async function approval(): Promise<Approval> {
  await until(() => raised.length > 0, 'an approval is raised');
  const [first] = raised;
  assert.ok(first !== undefined);
  return first;
}
const approve = async (signature = 'good') =>
  rig.approvals.answer((await approval()).id, given(signature), undefined);
const deny = async () => rig.approvals.deny((await approval()).handle);
const over = async () => assert.equal(rig.approvals.show((await approval()).id), undefined, 'it still waits');

const promptOf = async (login: Client, number = 1) => {
  const prompt = await login.sees('prompt', number);
  return prompt.type === 'prompt' ? ([prompt.text, prompt.style] as const) : ([] as const);
};
const textsOf = (login: Client) =>
  login.frames.flatMap((frame) => ('text' in frame && frame.type !== 'prompt' ? [frame.text] : []));

describe('the text on the screen', () => {
  it('is the link and the number, before the prompt, without control characters', async () => {
    const login = begin(false);
    const [prompt] = await promptOf(login);
    assert.equal(prompt, 'Press Enter once it is approved, or type a verification code: ');
    const { link, number } = await approval();
    const [text = ''] = textsOf(login);
    assert.equal(text, `To use a security key, open ${link}\nand compare the number: ${number}`);
    assert.doesNotMatch(text, /[^\P{Cc}\n]/u);
    assert.ok(
      login.frames.findIndex(({ type }) => type === 'info') <
        login.frames.findIndex(({ type }) => type === 'prompt'),
    );
  });

  it('is the page and the number, without a link, where the link may be logged', async () => {
    for (const terminal of [false, true]) {
      const login = begin(terminal, 'nothing', undefined, false);
      const [prompt = ''] = await promptOf(login);
      const { id, portal, number } = raised.at(-1) ?? (await approval());
      const shown = [...textsOf(login), prompt].join('\n');
      assert.ok(shown.includes(`Open ${portal} and approve this login. Number: ${number}`), shown);
      assert.ok(!shown.includes(id) && !shown.includes('/approve/'), shown);
    }
  });

  it('is written with the prompt if the module prompts at the terminal itself', async () => {
    const login = begin(true);
    const [prompt = '', style] = await promptOf(login);
    const { link, number } = await approval();
    assert.equal(style, styles.terminal);
    assert.match(prompt, /\nWaiting for your approval, or type a verification code: $/);
    assert.ok(prompt.includes(link) && prompt.includes(number));
    assert.deepEqual(textsOf(login), []);
  });

  it('names only accepted factors', async () => {
    const last = async (login: Client) => (await promptOf(login))[0]?.split('\n').at(-1);
    assert.equal(await last(begin(true)), 'Waiting for your approval, or type a verification code: ');
    assert.equal(await last(begin(true, 'nothing')), 'Waiting for your approval: ');
    assert.equal((await promptOf(begin(false, 'nothing')))[0], 'Press Enter once it is approved: ');
  });

  it('differs between two logins', async () => {
    await Promise.all([promptOf(begin(true)), promptOf(begin(true))]);
    assert.notEqual(raised[0]?.link, raised[1]?.link);
  });
});

describe('at a terminal whose prompt can be withdrawn', () => {
  it('the login continues by itself', async () => {
    const login = begin(true);
    await promptOf(login);
    assert.equal(await approve(), 'approved');
    await login.sees('withdraw');
    assert.deepEqual(login.ofType('result'), [], 'nothing leaves while a prompt is open');
    login.send(withdrawn);
    assert.equal(await login.result(), pam.success);
    assert.deepEqual([rig.verifier.answers, rig.verifier.abandoned], [['touched b25l'], []]);
  });

  it('Enter prompts again and keeps the approval pending', async () => {
    const login = begin(true);
    await promptOf(login);
    login.send(answer(''));
    await promptOf(login, 2);
    assert.equal(await approve(), 'approved');
    await login.sees('withdraw');
    login.send(withdrawn);
    assert.equal(await login.result(), pam.success);
  });

  it('a denial ends it, with one event', async () => {
    const login = begin(true);
    await promptOf(login);
    assert.equal(await deny(), 'denied');
    await login.sees('withdraw');
    login.send(withdrawn);
    assert.equal(await login.result(), pam.authErr);
    assert.equal(textsOf(login).at(-1), 'This login was denied.');
    await until(() => rig.verifier.abandoned.length > 0, 'the event');
    assert.deepEqual([rig.verifier.answers, rig.verifier.abandoned], [[], ['denied']]);
  });

  it('a denial ends it even if a code was sent at the same time', async () => {
    const login = begin(true);
    await promptOf(login);
    await deny();
    await login.sees('withdraw');
    login.send(answer('123456'));
    await login.result();
    // Users deny logins that are not theirs.
    assert.deepEqual(rig.verifier.answers, []);
    assert.deepEqual(rig.verifier.abandoned, ['denied']);
  });
});

describe('elsewhere', () => {
  it('Enter continues with an approval given meanwhile', async () => {
    const login = begin(false);
    await promptOf(login);
    assert.equal(await approve(), 'approved');
    assert.deepEqual(login.ofType('withdraw'), []);
    login.send(answer(''));
    assert.equal(await login.result(), pam.success);
  });

  it('Enter before the approval waits for it', async () => {
    const login = begin(false);
    await promptOf(login);
    login.send(answer(''));
    await until(() => textsOf(login).includes('Waiting for your approval in the browser.'), 'it says so');
    assert.deepEqual(login.ofType('result'), []);
    assert.equal(await approve(), 'approved');
    assert.equal(await login.result(), pam.success);
  });

  it('Enter after a denial ends it, with one event', async () => {
    const login = begin(false);
    await promptOf(login);
    await deny();
    login.send(answer(''));
    assert.equal(await login.result(), pam.authErr);
    await until(() => rig.verifier.abandoned.length > 0, 'the event');
    assert.deepEqual(rig.verifier.abandoned, ['denied']);
  });

  it('a code typed after a denial is refused', async () => {
    const login = begin(false);
    await promptOf(login);
    await deny();
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.authErr);
    await until(() => rig.verifier.abandoned.length > 0, 'the event');
    assert.deepEqual([rig.verifier.answers, rig.verifier.abandoned], [[], ['denied']]);
  });

  it('a denial while a wrong code is verified ends it, without another prompt', async () => {
    const login = begin(false);
    await promptOf(login);
    const wrong = rig.verifier.verdict;
    rig.verifier.verdict = async (given, text) => {
      await deny();
      return wrong(given, text);
    };
    login.send(answer('999999'));
    assert.equal(await login.result(), pam.authErr);
    assert.equal(login.ofType('prompt').length, 1);
    await until(() => rig.verifier.abandoned.length > 0, 'the event');
    assert.deepEqual(rig.verifier.abandoned, ['denied']);
  });

  it('an invalid signature keeps it pending', async () => {
    const login = begin(false);
    await promptOf(login);
    login.send(answer(''));
    await until(() => textsOf(login).length > 1, 'it waits');
    assert.equal(await approve('bad'), 'refused');
    assert.deepEqual(login.ofType('result'), []);
    assert.equal(await approve(), 'approved');
    assert.equal(await login.result(), pam.success);
  });
});

describe('an approval and typed answers', () => {
  for (const terminal of [true, false])
    it(`a code is accepted while the approval is pending, and ends it (${terminal ? 'at a terminal' : 'elsewhere'})`, async () => {
      const login = begin(terminal);
      await promptOf(login);
      login.send(answer('123456'));
      assert.equal(await login.result(), pam.success);
      await over();
      assert.equal(await approve(), 'over');
      assert.deepEqual(rig.verifier.answers, ['123456']);
    });

  it('a wrong code keeps it pending', async () => {
    const login = begin(false);
    await promptOf(login);
    login.send(answer('999999'));
    await promptOf(login, 2);
    assert.equal(await approve(), 'approved');
    login.send(answer(''));
    assert.equal(await login.result(), pam.success);
    assert.deepEqual(rig.verifier.answers, ['999999', 'touched b25l']);
  });

  it('an approval displaced by newer ones leaves the typed factors', async () => {
    const login = begin(true);
    await promptOf(login);
    for (let times = 0; times < 3; times += 1)
      rig.approvals.open('alice', (await approval()).facts, question, []);
    await login.sees('withdraw');
    login.send(withdrawn);
    assert.deepEqual((await promptOf(login, 2))[0], 'Code: ');
    assert.ok(textsOf(login).includes('Approval timed out.'));
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.success);
  });

  it('a displaced approval ends the login if no factor can be typed', async () => {
    const login = begin(true, 'nothing');
    await promptOf(login);
    for (let times = 0; times < 3; times += 1)
      rig.approvals.open('alice', (await approval()).facts, question, []);
    await login.sees('withdraw');
    login.send(withdrawn);
    assert.equal(await login.result(), pam.authErr);
    await until(() => rig.verifier.abandoned.length > 0, 'the event');
    assert.deepEqual(rig.verifier.abandoned, ['timed-out']);
  });
});

describe('a pending approval ends', () => {
  it('when the program disconnects', async () => {
    const login = begin(false);
    await promptOf(login);
    login.socket.destroy();
    await rig.nothingIsLeft();
    await over();
    assert.equal(await approve(), 'over');
    assert.deepEqual(rig.verifier.abandoned, ['disconnected']);
  });

  it('when the program disconnects while its account is looked up', async () => {
    const login = begin(false);
    const opening = rig.verifier.opening;
    let release: () => void = () => undefined;
    const looked = new Promise<void>((resolve) => {
      release = resolve;
    });
    rig.verifier.opening = async (facts, host) => {
      await looked;
      return opening(facts, host);
    };
    await until(() => rig.verifier.asked.length > 0, 'it is looked up');
    login.socket.destroy();
    await rig.nothingIsLeft();
    release();
    await over();
    assert.deepEqual(rig.approvals.pendingOf('alice'), []);
  });

  it('at ^C', async () => {
    const login = begin(false);
    await promptOf(login);
    login.send(cancel);
    assert.equal(await login.result(), pam.authErr);
    await over();
    assert.deepEqual(rig.verifier.abandoned, ['cancelled']);
  });

  it('at the deadline of its login, which is refused', async () => {
    const login = begin(false, 'nothing', 2_000);
    await promptOf(login);
    login.send(answer(''));
    assert.equal(await login.result(), pam.authErr);
    await over();
    assert.equal(await approve(), 'over');
  });

  it('when the daemon stops', async () => {
    const login = begin(false);
    await promptOf(login);
    const stopped = rig.server.close();
    assert.equal(await login.result(), pam.systemErr);
    await stopped;
    await over();
  });
});
