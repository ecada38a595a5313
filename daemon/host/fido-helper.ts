import { codeOf, messageOf, SallyportError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { limits } from '../limits.ts';
import { createHelperFrameReader, type HelperFrame } from '../protocol/fido.ts';
import { encodeAssert, encodeList, encodeMake, encodePin } from '../protocol/fido-requests.ts';
import { attestationObject } from './fido-attestation.ts';
import { type HelperEndpoint, type HelperProcess, openHelper } from './helper-process.ts';
import type {
  Asserted,
  FidoCall,
  FidoEvent,
  FidoFailure,
  FidoHelper,
  Made,
  PluggedKey,
  Watch,
} from './security-keys.ts';

export interface FidoHelperOptions {
  readonly where: HelperEndpoint;
  readonly log: Log;
  /** Of the program; tests name their devices in it. */
  readonly environment?: Readonly<Record<string, string>>;
}

interface Question<T> {
  /** The frame. @throws what makes it no question */
  readonly encode: () => Buffer;
  /** Milliseconds until a helper that is still there is given up. */
  readonly patience: number;
  readonly watch: Watch;
  /** Undefined: not an outcome of this question. */
  readonly outcome: (frame: HelperFrame) => T | undefined;
}

const failure = (reason: FidoFailure['reason'], detail: string): FidoFailure => ({
  kind: 'failed',
  reason,
  detail,
});

/**
 * One process of the helper.
 *
 * Invariants:
 * - there is exactly one outcome, also from a helper that dies, breaks the protocol or is late;
 * - a PIN goes out once, for the question that was asked last, and every copy of ours is wiped;
 * - the process is gone soon after the outcome, or is ended.
 */
class HelperCall<T> implements FidoCall<T> {
  readonly outcome: Promise<T | FidoFailure>;
  readonly #question: Question<T>;
  readonly #log: Log;
  readonly #reader = createHelperFrameReader();
  readonly #late: NodeJS.Timeout;
  readonly #line: HelperProcess | undefined;
  #settle: (outcome: T | FidoFailure) => void = () => undefined;
  #settled = false;
  #gone = false;
  #events = 0;
  /** Number of the PIN that is wanted. */
  #ask: number | undefined;

  constructor(options: FidoHelperOptions, question: Question<T>) {
    this.#question = question;
    this.#log = options.log;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#late = setTimeout(() => this.#end(failure('helper-failed', 'it is late'), true), question.patience);
    this.#line = this.#start(options);
  }

  pin(bytes: Buffer): void {
    const ask = this.#ask;
    this.#ask = undefined;
    if (ask === undefined || this.#settled) {
      bytes.fill(0);
      return;
    }
    const frame = encodePin(ask, bytes);
    bytes.fill(0);
    this.#line?.write(frame, () => frame.fill(0));
  }

  cancel(): void {
    this.#end(failure('cancelled', 'the call was cancelled'));
  }

  #start(options: FidoHelperOptions): HelperProcess | undefined {
    try {
      const frame = this.#question.encode();
      const line = openHelper(options.where, options.environment ?? {}, {
        heard: (chunk) => this.#heard(chunk),
        closed: (why) => this.#closed(why),
      });
      line.write(frame);
      return line;
    } catch (error) {
      this.#gone = true;
      this.#end(failure('helper-failed', messageOf(error)));
      return undefined;
    }
  }

  #heard(chunk: Buffer): void {
    if (this.#settled) return;
    try {
      for (const frame of this.#reader.push(chunk)) this.#take(frame);
    } catch (error) {
      this.#end(failure('helper-failed', `${codeOf(error)}: ${messageOf(error)}`), true);
    }
  }

  #take(frame: HelperFrame): void {
    if (this.#settled) return;
    this.#events += 1;
    if (this.#events > limits.fidoEvents)
      throw new SallyportError('protocol-violation', 'sallyport-fido says too much');
    if (frame.type === 'pin-wanted') this.#ask = frame.ask;
    const event = eventOf(frame);
    if (event !== undefined) this.#question.watch(event);
    else this.#end(this.#outcomeOf(frame));
  }

  #outcomeOf(frame: HelperFrame): T | FidoFailure {
    if (frame.type === 'failed') return failure(frame.reason, frame.detail);
    const outcome = this.#question.outcome(frame);
    if (outcome === undefined)
      throw new SallyportError('protocol-violation', 'sallyport-fido answers another question');
    return outcome;
  }

  #closed(why: string): void {
    this.#gone = true;
    this.#end(failure('helper-failed', why));
  }

  #end(outcome: T | FidoFailure, atOnce = false): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#late);
    this.#settle(outcome);
    if (isFailure(outcome) && outcome.reason === 'helper-failed')
      this.#log.warning('fido-helper-failed', { detail: outcome.detail });
    this.#letGo(atOnce);
  }

  /** The helper lets the keys stop blinking, and ends; one that does not is ended. */
  #letGo(atOnce: boolean): void {
    if (this.#gone) return;
    if (atOnce) {
      this.#line?.kill();
      return;
    }
    this.#line?.end();
    setTimeout(() => {
      if (!this.#gone) this.#line?.kill();
    }, limits.fidoFarewell).unref();
  }
}

/** What the user should see; undefined for an outcome. */
function eventOf(frame: HelperFrame): FidoEvent | undefined {
  if (frame.type === 'keys') return { kind: 'keys', count: frame.count };
  if (frame.type === 'touch') return { kind: 'touch' };
  if (frame.type !== 'pin-wanted') return undefined;
  const { why, retries } = frame;
  return { kind: 'pin', why, ...(retries === undefined ? {} : { retries }) };
}

function isFailure(outcome: unknown): outcome is FidoFailure {
  return (outcome as { readonly kind?: unknown } | undefined)?.kind === 'failed';
}

const listing = (): Question<readonly PluggedKey[]> => ({
  encode: () => encodeList(limits.fidoListWait),
  patience: limits.fidoListWait,
  watch: () => undefined,
  outcome: (frame) => (frame.type === 'listed' ? frame.keys : undefined),
});

const asMade = (frame: HelperFrame): Made | undefined =>
  frame.type === 'made'
    ? { kind: 'made', credentialId: frame.credentialId, attestationObject: attestationObject(frame) }
    : undefined;

const asAsserted = (frame: HelperFrame): Asserted | undefined => {
  if (frame.type !== 'asserted') return undefined;
  const { credentialId, authenticatorData, signature } = frame;
  return { kind: 'asserted', credentialId, authenticatorData, signature };
};

/** What comes back is what a device says, through a process that holds nothing: it is checked by the caller. */
export function createFidoHelper(options: FidoHelperOptions): FidoHelper {
  return {
    async list() {
      const keys = await new HelperCall(options, listing()).outcome;
      return 'kind' in keys ? [] : keys;
    },
    make: (request, watch) =>
      new HelperCall(options, {
        encode: () => encodeMake(request),
        patience: request.deadline + limits.fidoLateness,
        watch,
        outcome: asMade,
      }),
    assert: (request, watch) =>
      new HelperCall(options, {
        encode: () => encodeAssert(request),
        patience: request.deadline + limits.fidoLateness,
        watch,
        outcome: asAsserted,
      }),
  };
}
