import { isControlCode } from '../api/error-codes.ts';
import type { CeremonyInput } from '../api/schema.ts';
import type { CeremonyStep, CeremonyView } from '../api/views.ts';
import { isFailure, type KeyRequest, type KeyRequests } from '../authenticators/key-requests.ts';
import { isTouched } from '../factors/kinds.ts';
import type { FidoEvent, HostFacts } from '../host/contract.ts';
import { codeOf, messageOf, SallyportError } from '../lib/errors.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import type { EnrolResult, Verifier } from '../verifier/contract.ts';
import { keyFailureText } from '../verifier/key-texts.ts';

/**
 * Enrolment of security keys plugged into this machine: the user has to touch a key meanwhile, so it takes several
 * requests. Kept in memory, and lost when the daemon stops.
 */
export interface Ceremonies {
  begin(actor: string, account: string, body: CeremonyInput): Promise<CeremonyView>;
  /** Waits for a limited time for a step after `seen`. @throws SallyportError `no-such-ceremony` */
  next(
    actor: string,
    account: string,
    id: string,
    body: { readonly seen: number; readonly pin?: Buffer },
  ): Promise<CeremonyView>;
  /** @throws SallyportError `no-such-ceremony` */
  cancel(actor: string, account: string, id: string): CeremonyView;
  close(): void;
}

export type CeremonyLimits = Readonly<
  Record<'ceremonies' | 'ceremonyDeadline' | 'ceremonyPoll' | 'ceremonyIdle', number>
>;

export interface CeremonyOptions {
  readonly verifier: Pick<Verifier, 'enrol' | 'creationOptions' | 'touchRequest'>;
  readonly keyRequests: Pick<KeyRequests, 'begin' | 'make'>;
  /** The machine of the callers, whose keys are asked. */
  readonly host: Pick<HostFacts, 'id' | 'securityKeys'>;
  readonly randomness: Pick<Randomness, 'bytes'>;
  readonly limits?: CeremonyLimits;
}

interface Ceremony {
  readonly id: string;
  readonly actor: string;
  readonly account: string;
  touch: KeyRequest<object>;
  step: CeremonyStep;
  /** Called once, at the next step. */
  readonly waiting: Set<() => void>;
  /** Ends it when the client stops asking. */
  idle: NodeJS.Timeout | undefined;
}

/**
 * Invariants:
 * - a ceremony belongs to the caller who began it, and to its account: knowing its ID is not enough;
 * - the key's response goes to the verifier unchanged, and only the verifier enrols;
 * - only a few run at a time, one per account, and each times out; then the keys stop blinking;
 * - a PIN is passed on once, and wiped.
 */
export function createCeremonies(options: CeremonyOptions): Ceremonies {
  return new RunningCeremonies(options);
}

class RunningCeremonies implements Ceremonies {
  readonly #o: CeremonyOptions;
  readonly #limit: NonNullable<CeremonyOptions['limits']>;
  readonly #running = new Map<string, Ceremony>();

  constructor(options: CeremonyOptions) {
    this.#o = options;
    this.#limit = options.limits ?? limits;
  }

  async begin(actor: string, account: string, body: CeremonyInput): Promise<CeremonyView> {
    const ceremony = this.#make(actor, account);
    try {
      await this.#ask(ceremony, body);
    } catch (error) {
      this.#end(ceremony);
      throw error;
    }
    return view(ceremony);
  }

  async next(
    actor: string,
    account: string,
    id: string,
    { seen, pin }: Parameters<Ceremonies['next']>[3],
  ): Promise<CeremonyView> {
    try {
      const ceremony = this.#find(actor, account, id);
      this.#touched(ceremony);
      if (pin !== undefined) ceremony.touch.pin(pin);
      if (ceremony.step.number <= seen && !isOver(ceremony.step))
        await nextStep(ceremony, this.#limit.ceremonyPoll);
      if (isOver(ceremony.step)) this.#end(ceremony);
      else if (this.#isRunning(ceremony)) this.#touched(ceremony);
      return view(ceremony);
    } finally {
      pin?.fill(0);
    }
  }

  cancel(actor: string, account: string, id: string): CeremonyView {
    const ceremony = this.#find(actor, account, id);
    this.#end(ceremony);
    return view(ceremony);
  }

  close(): void {
    for (const ceremony of this.#running.values()) this.#end(ceremony);
  }

  /** Asks the security keys that are plugged in; what they answer is enrolled. */
  async #ask(ceremony: Ceremony, body: CeremonyInput): Promise<void> {
    const { verifier, keyRequests, host } = this.#o;
    const { actor, account } = ceremony;
    const deadline = this.#limit.ceremonyDeadline;
    const watch = (event: FidoEvent) => this.#moveOn(ceremony, stepOf(event));
    const common = { ...body, actor, user: account, verify: true };
    if (isTouched(body)) {
      const question = await verifier.touchRequest(account, body);
      this.#refuseEnded(ceremony);
      this.#settle(ceremony, keyRequests.begin(host, question, deadline, watch), (assertion) =>
        verifier.enrol({ ...common, assertion }),
      );
    } else {
      const wanted = await verifier.creationOptions(account);
      this.#refuseEnded(ceremony);
      this.#settle(ceremony, keyRequests.make(host, wanted, deadline, watch), (registration) =>
        verifier.enrol({ ...common, registration }),
      );
    }
  }

  #moveOn(ceremony: Ceremony, step: Step): void {
    if (isOver(ceremony.step)) return;
    ceremony.step = { ...step, number: ceremony.step.number + 1 };
    for (const wake of ceremony.waiting) wake();
    ceremony.waiting.clear();
  }

  #isRunning({ id }: Ceremony): boolean {
    return this.#running.has(id);
  }

  /** The client does not poll while the user types the PIN; no key blinks then either. */
  #touched(ceremony: Ceremony): void {
    const isTyping = ceremony.step.kind === 'pin';
    clearTimeout(ceremony.idle);
    ceremony.idle = setTimeout(
      () => this.#end(ceremony),
      isTyping ? this.#limit.ceremonyDeadline : this.#limit.ceremonyIdle,
    ).unref();
  }

  #find(actor: string, account: string, id: string): Ceremony {
    const found = this.#running.get(id);
    if (found !== undefined && found.actor === actor && found.account === account) return found;
    throw noSuchCeremony();
  }

  #make(actor: string, account: string): Ceremony {
    for (const old of this.#running.values()) if (old.account === account) this.#end(old);
    if (this.#running.size >= this.#limit.ceremonies)
      throw new SallyportError(
        'too-many-ceremonies',
        'too many security keys are being added; try again shortly',
      );
    const ceremony: Ceremony = {
      id: this.#o.randomness.bytes(16).toString('hex'),
      actor,
      account,
      touch: { outcome: new Promise(() => undefined), pin: (pin) => pin.fill(0), cancel: () => undefined },
      step: { kind: 'working', number: 0 },
      waiting: new Set(),
      idle: undefined,
    };
    this.#running.set(ceremony.id, ceremony);
    this.#touched(ceremony);
    return ceremony;
  }

  #end(ceremony: Ceremony): void {
    clearTimeout(ceremony.idle);
    ceremony.touch.cancel();
    this.#running.delete(ceremony.id);
  }

  /** Another one was begun for the account while this one was prepared, or the daemon stops. */
  #refuseEnded(ceremony: Ceremony): void {
    if (!this.#isRunning(ceremony)) throw noSuchCeremony();
  }

  #settle<T extends object>(
    ceremony: Ceremony,
    touch: KeyRequest<T>,
    enrol: (answer: T) => Promise<EnrolResult>,
  ): void {
    ceremony.touch = touch;
    const finish = async (): Promise<Step> => {
      const outcome = await touch.outcome;
      if (isFailure(outcome)) {
        const { reason } = outcome;
        const code = isUnavailable.has(reason) ? 'key-unavailable' : 'key-refused';
        return { kind: 'failed', code, message: keyFailureText(reason) };
      }
      this.#refuseEnded(ceremony);
      this.#moveOn(ceremony, { kind: 'working' });
      return { kind: 'done', added: await enrol(outcome) };
    };
    void finish()
      .catch((error: unknown): Step => failure(error))
      .then((step) => this.#moveOn(ceremony, step));
  }
}

type Step = CeremonyStep extends infer S ? (S extends CeremonyStep ? Omit<S, 'number'> : never) : never;

const isUnavailable: ReadonlySet<string> = new Set(['no-touch', 'no-key', 'helper-failed', 'cancelled']);

function stepOf(event: FidoEvent): Step {
  if (event.kind === 'keys') return { kind: event.count === 0 ? 'insert' : 'working' };
  if (event.kind === 'touch') return { kind: 'touch' };
  return event;
}

function failure(error: unknown): Step {
  const code = codeOf(error);
  if (isControlCode(code)) return { kind: 'failed', code, message: messageOf(error) };
  return { kind: 'failed', code: 'internal', message: 'sallyportd failed; see: journalctl -u sallyportd' };
}

function isOver({ kind }: CeremonyStep): boolean {
  return kind === 'done' || kind === 'failed';
}

function view({ id, step }: Ceremony): CeremonyView {
  return { id, step };
}

function noSuchCeremony(): SallyportError {
  return new SallyportError(
    'no-such-ceremony',
    'the enrolment of this security key has ended, or was never started; start again',
  );
}

function nextStep(ceremony: Ceremony, atMost: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(wake, atMost);
    function wake(): void {
      clearTimeout(timer);
      ceremony.waiting.delete(wake);
      resolve();
    }
    ceremony.waiting.add(wake);
  });
}
