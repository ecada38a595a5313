import type { FrameLink } from '../host/contract.ts';
import { withDeadline } from '../lib/deadline.ts';
import { codeOf, messageOf, SallyportError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { limits } from '../limits.ts';
import type { DaemonFrame, HelloFrame } from '../protocol/login.ts';
import type { KeyOption, Opening, Verifier } from '../verifier/contract.ts';
import { factsOf } from './facts.ts';
import type { Admission } from './login-pools.ts';
import { PendingKey, type PendingKeyOptions, withdrawOffer } from './pending-key.ts';
import { type Effect, type Event, type State, type Step, step } from './session.ts';
import { isUndecided, shutdownStep, stepDuringShutdown } from './shutdown.ts';

export interface ConversationOptions extends PendingKeyOptions {
  readonly verifier: Verifier;
  readonly log: Log;
}

/** Called after HELLO: whether a slot is free for such a login. */
export type Admit = (hello: HelloFrame) => Admission;

/**
 * One connection: the link's side of a session. It carries out the session's effects and decides nothing itself.
 *
 * Invariant: it holds at most one timer, and no resource remains when its link is closed.
 */
export class Conversation {
  readonly #link: FrameLink;
  readonly #options: ConversationOptions;
  readonly #admit: Admit;
  /** For the verifier: aborted at the end of the call, after which nothing is accepted and no server queried. */
  readonly #ended = new AbortController();
  #state: State = { at: 'hello' };
  /** Monotonic milliseconds; undefined before HELLO. */
  #deadline: number;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; it may be earlier than any deadline, and never later. */
  #timerAt = Infinity;
  /** When a delayed refusal may be sent. */
  #heldUntil: number | undefined;
  #nextWait: number | undefined;
  #key: PendingKey | undefined;
  /** The daemon is stopping. */
  #stopping = false;
  /** Frames of the effects that are being carried out. */
  readonly #frames: DaemonFrame[] = [];
  /** Requests to the verifier that run beside the conversation. */
  readonly #notes = new Set<Promise<void>>();
  readonly #closed: Promise<void>;

  constructor(link: FrameLink, options: ConversationOptions, admit: Admit) {
    this.#link = link;
    this.#options = options;
    this.#admit = admit;
    this.#deadline = performance.now() + limits.helloWait;
    this.#closed = new Promise((resolve) => {
      link.listen({
        frame: (frame) => this.#happened({ kind: 'frame', frame }),
        violated: (error) => this.#violated(error),
        ended: () => this.#happened({ kind: 'closed' }),
        closed: () => {
          this.#happened({ kind: 'closed' });
          resolve();
        },
      });
    });
    this.#arm();
  }

  /**
   * The daemon is stopping: users at a prompt are asked to try again; an answer under evaluation has `ms` to
   * finish.
   * Resolves when nothing of the login is under way any more.
   */
  async stop(ms: number): Promise<void> {
    this.#stopping = true;
    if (isUndecided(this.#state)) {
      await withDeadline(this.#closed, ms, () => undefined);
    }
    if (this.#state.at !== 'over') this.#take(shutdownStep(this.#state));
    await Promise.all(this.#notes);
  }

  /** It gives up its slot, which other logins need. */
  evict(): void {
    this.#happened({ kind: 'failed' });
  }

  #violated(error: unknown): void {
    const { peerUid: uid } = this.#link.origin;
    this.#options.log.warning('protocol-violation', { uid, message: messageOf(error) });
    this.#happened({ kind: 'failed' });
  }

  #happened(event: Event): void {
    this.#take((this.#stopping ? stepDuringShutdown : step)(this.#state, event));
  }

  #take({ state, effects }: Step): void {
    const working = ['opening', 'evaluating', 'holding', 'touching'].includes(state.at);
    if (!working) this.#nextWait = undefined;
    else if (state !== this.#state) this.#nextWait = performance.now() + limits.firstWait;
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    this.#flush();
    this.#arm();
  }

  #flush(): void {
    if (this.#frames.length > 0) this.#link.send(this.#frames.splice(0));
  }

  #perform(effect: Effect): void {
    const { verifier } = this.#options;
    switch (effect.do) {
      case 'open':
        this.#open(effect.hello);
        return;
      case 'evaluate':
        this.#decide(
          verifier
            .answer(effect.login, effect.answer, this.#ended.signal)
            .then((verdict): Event => ({ kind: 'evaluated', verdict })),
        );
        return;
      case 'abandon':
        this.#note(verifier.abandon(effect.login, effect.reason));
        return;
      case 'touch':
        this.#beginTouch(effect.offer);
        return;
      case 'pin':
        if (this.#key === undefined) effect.pin.fill(0);
        else this.#key.pin(effect.pin);
        return;
      case 'untouch':
        this.#key?.end();
        return;
      case 'send':
        this.#frames.push(effect.frame);
        return;
      case 'hold':
        this.#heldUntil = performance.now() + effect.ms;
        return;
      case 'close':
        this.#flush();
        this.#link.close();
        return;
    }
  }

  #open(hello: HelloFrame): void {
    const admission = this.#admit(hello);
    if (!admission.admitted) {
      this.#report(new SallyportError('too-many-logins', 'too many such logins at a time'));
      this.#decide(Promise.resolve({ kind: 'over-limit', holdFor: admission.holdFor }));
      return;
    }
    this.#deadline = performance.now() + deadlineOf(hello);
    this.#decide(
      factsOf(hello, this.#link.origin).then(async (facts): Promise<Event> => {
        const opening = await this.#options.verifier.open(facts, this.#link.origin.host);
        this.#dropIfLate(opening);
        return { kind: 'opened', opening };
      }),
    );
  }

  #note(written: Promise<void>): void {
    const note = written
      .catch((error: unknown) => this.#report(error))
      .finally(() => this.#notes.delete(note));
    this.#notes.add(note);
  }

  #dropIfLate(opening: Opening): void {
    const isLate = this.#stopping || this.#state.at === 'over';
    if (isLate && opening.kind === 'ask' && opening.key !== undefined)
      withdrawOffer(opening.key, this.#options);
  }

  #beginTouch(offer: KeyOption): void {
    const left = Math.ceil(this.#deadline - performance.now());
    this.#key ??= new PendingKey(this.#options, this.#link.origin.host, (event) => this.#happened(event));
    this.#decide(this.#key.begin(offer, left));
  }

  #decide(outcome: Promise<Event | undefined>): void {
    outcome
      .then((event) => event !== undefined && this.#happened(event))
      .catch((error: unknown) => {
        this.#report(error);
        this.#happened({ kind: 'failed' });
      })
      .catch(() => this.#link.close());
  }

  #report(error: unknown): void {
    const { peerUid: uid } = this.#link.origin;
    this.#options.log.error('login-error', { uid, code: codeOf(error), message: messageOf(error) });
  }

  /** One timer for all deadlines. */
  #arm(): void {
    if (this.#state.at === 'over') {
      this.#ended.abort(performance.now() >= this.#deadline ? 'timed-out' : 'disconnected');
      this.#key?.end();
      clearTimeout(this.#timer);
      return;
    }
    const due = Math.min(this.#deadline, this.#heldUntil ?? Infinity, this.#nextWait ?? Infinity);
    if (due >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = due;
    this.#timer = setTimeout(() => this.#due(), Math.max(0, due - performance.now()));
  }

  #due(): void {
    this.#timerAt = Infinity;
    const now = performance.now();
    if (now >= this.#deadline) {
      this.#happened({ kind: 'deadline' });
      return;
    }
    if (this.#heldUntil !== undefined && now >= this.#heldUntil) {
      this.#heldUntil = undefined;
      this.#happened({ kind: 'held' });
      return;
    }
    if (this.#nextWait !== undefined && now >= this.#nextWait) {
      this.#nextWait = now + limits.waitInterval;
      this.#link.send([{ type: 'wait' }]);
    }
    this.#arm();
  }
}

function deadlineOf(hello: HelloFrame): number {
  const asked = Math.min(Math.max(hello.deadline, limits.shortestDeadline), limits.longestDeadline);
  return Math.max(asked - limits.deadlineMargin, limits.shortestDeadline / 2);
}
