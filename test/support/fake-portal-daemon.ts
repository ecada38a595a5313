import type { ApprovalView, SignInView } from '../../daemon/api/sign-in-views.ts';
import type { ChangeView, StoredAuditEvent, UserView } from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import type { ApprovalEvent } from '../../daemon/client/sign-in-client.ts';
import type { AnonymousClient, FollowedByPerson, PortalDaemon, UserClient } from '../../portal/daemon.ts';

interface Token {
  readonly account: string;
  /** Valid for changes. */
  fresh: boolean;
}

/** sallyportd as the portal sees it: alice with password "right" and code 123456, and bob, an administrator. */
export class FakePortalDaemon implements PortalDaemon {
  /** Every request, with its parameters. */
  readonly asked: unknown[][] = [];
  readonly tokens = new Map<string, Token>();
  readonly streams = new Set<Stream<unknown>>();
  /** Thrown by the next request. */
  fails: Error | undefined;
  approvalsNow: ApprovalEvent[] = [];
  /** New sign-ins wait for it. */
  holds: Promise<void> = Promise.resolve();
  /** Answers of sign-ins wait until their request has ended. */
  endless = false;
  #made = 0;
  readonly #begun = new Map<string, string>();

  async reportSettings(digest: string): Promise<void> {
    this.#note('reportSettings', digest);
  }

  readonly anonymous: AnonymousClient = {
    beginSignIn: async (body) => {
      this.#note('beginSignIn', body);
      await this.holds;
      if (body.by === 'password' && body.password !== 'right')
        throw new ControlError('not-permitted', 'account, password or code is wrong');
      const id = `signin-${++this.#made}`;
      this.#begun.set(id, body.user);
      return { id, step: { kind: 'factor', typed: 'Verification code' } };
    },
    answerSignIn: async (id, body, ended) => {
      this.#note('answerSignIn', id, body);
      if (this.endless) await endOf(ended);
      const account = this.#begun.get(id);
      if (account === undefined) throw new ControlError('not-permitted', 'there is no such sign-in');
      if (body.kind === 'typed' && body.answer !== '123456')
        return { id, step: { kind: 'factor', typed: 'Verification code', text: 'wrong code' } };
      this.#begun.delete(id);
      return this.done(id, account);
    },
    approval: async (id, source) => {
      this.#note('approval', id, source);
      if (id !== 'known') throw new ControlError('no-such-account', 'there is no such approval');
      return approvalView;
    },
    answerApproval: async (id, body) => {
      this.#note('answerApproval', id, body);
      return { outcome: id === 'known' ? 'approved' : 'refused', text: '' };
    },
    denyApproval: async (id) => {
      this.#note('denyApproval', id);
      return { outcome: 'denied', text: '' };
    },
  };

  done(id: string, account: string): SignInView {
    const token = `secret-token-${++this.#made}`;
    this.tokens.set(token, { account, fresh: true });
    return {
      id,
      step: {
        kind: 'done',
        person: { account, uid: 1_000, admin: account === 'bob' },
        token: { token, changesUntil: Date.now() + 300_000, readsUntil: Date.now() + 8 * 3_600_000 },
      },
    };
  }

  familiar(party: string): Pick<AnonymousClient, 'beginSignIn'> {
    return {
      beginSignIn: (body) => {
        this.#note('familiar', party);
        return this.anonymous.beginSignIn(body);
      },
    };
  }

  person(token: string): UserClient {
    const changed: ChangeView = { account: 'alice', changed: true };
    const change = async <T>(answer: T, ...what: unknown[]): Promise<T> => {
      this.#note(...what, token);
      if (this.tokens.get(token)?.fresh !== true) throw needed();
      return answer;
    };
    const read = async <T>(answer: T, ...what: unknown[]): Promise<T> => {
      this.#note(...what, token);
      if (!this.tokens.has(token)) throw needed();
      return answer;
    };
    return {
      beginSignIn: async (body) => {
        this.#note('token', token);
        return this.anonymous.beginSignIn(body);
      },
      endToken: async () => {
        this.#note('endToken', token);
        this.tokens.delete(token);
      },
      user: (name) => read(userView(name), 'user', name),
      users: (after, limit, search) => read({ users: [] }, 'users', after, limit, search),
      audit: (query) => read({ events: [] }, 'audit', query),
      giveBypass: (user, body) =>
        change({ account: user, factor, replaced: [], bypassCode: '123 456 789' }, 'giveBypass', user, body),
      unlock: (user) => change(changed, 'unlock', user),
      invite: (user, without) => change({ link: 'L', expires: 1 }, 'invite', user, without),
      addFactor: (user, body) => change({ account: user, factor, replaced: [] }, 'addFactor', user, body),
      renameFactor: (user, id, name) => change(changed, 'renameFactor', user, id, name),
      enableFactor: (user, id) => change(changed, 'enableFactor', user, id),
      disableFactor: (user, id, confirmed) => change(changed, 'disableFactor', user, id, confirmed),
      removeFactor: (user, id, confirmed) => change(changed, 'removeFactor', user, id, confirmed),
      beginKey: (user, body) => change({ id: 'k1', options: creation }, 'beginKey', user, body),
      finishKey: (user, key, body) =>
        change({ account: user, factor, replaced: [] }, 'finishKey', user, key, body),
    };
  }

  following(token: string, signal: AbortSignal): FollowedByPerson {
    const open = <T>(...what: unknown[]): AsyncIterable<T> => {
      this.#note(...what, token);
      if (!this.tokens.has(token)) throw needed();
      const stream = new Stream<T>(String(what[0]), signal);
      this.streams.add(stream as Stream<unknown>);
      signal.addEventListener('abort', () => this.streams.delete(stream as Stream<unknown>));
      return stream;
    };
    return {
      followApprovals: (user) => {
        const stream = open<ApprovalEvent>('followApprovals', user);
        for (const event of this.approvalsNow) this.tell('followApprovals', event);
        return stream;
      },
      follow: (query) => open<StoredAuditEvent>('follow', query),
    };
  }

  /** What all streams of a kind say next. */
  tell(kind: string, event: unknown): void {
    for (const stream of this.streams) if (stream.kind === kind) stream.push(event);
  }

  namesAsked(): readonly unknown[] {
    return this.asked.map(([name]) => name);
  }

  #note(...what: unknown[]): void {
    this.asked.push(what);
    const failure = this.fails;
    this.fails = undefined;
    if (failure !== undefined) throw failure;
  }
}

class Stream<T> implements AsyncIterable<T> {
  readonly kind: string;
  readonly #signal: AbortSignal;
  readonly #items: T[] = [];
  #wake: () => void = () => undefined;

  constructor(kind: string, signal: AbortSignal) {
    this.kind = kind;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake());
  }

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    while (!this.#signal.aborted) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** As the client of control.sock does: an aborted request is not answered. */
async function endOf(ended: AbortSignal | undefined): Promise<never> {
  if (ended === undefined) throw new Error('it would never end');
  if (!ended.aborted) await new Promise((resolve) => ended.addEventListener('abort', resolve));
  throw new ControlError('daemon-unreachable', 'sallyportd does not answer (ABORT_ERR)');
}

const needed = () => new ControlError('token-needed', 'a token is needed');

const factor = { id: 'f1', kind: 'totp', name: 'n', enabled: true, created: 1, detail: '' } as const;

const creation = {
  challenge: 'c',
  rp: { id: 'localhost', name: 'Example' },
  user: { id: 'u', name: 'alice', displayName: 'alice' },
  pubKeyCredParams: [-7],
  excludeCredentials: [],
  residentKey: 'discouraged',
  userVerification: 'discouraged',
  attestation: 'none',
  timeout: 60_000,
} as const;

export const approvalView: ApprovalView = {
  id: 'known',
  account: 'alice',
  host: 'h',
  service: 'sshd',
  asked: 1,
  expires: 2,
  elsewhere: false,
  key: {
    challenge: 'c',
    rpId: 'localhost',
    allowCredentials: [],
    userVerification: 'discouraged',
    timeout: 1,
  },
};

function userView(account: string): UserView {
  return {
    account,
    defaults: { issuer: 'i', digits: 6, period: 30, algorithm: 'sha1' },
    factors: [],
    mayAdd: true,
    lock: { codes: 0, any: 0 },
    remembered: 0,
  };
}
