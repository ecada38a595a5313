import type {
  Asserted,
  FidoCall,
  FidoFailure,
  FidoHelper,
  Made,
  PluggedKey,
  Watch,
} from '../../daemon/host/contract.ts';
import type { AssertRequest, MakeRequest } from '../../daemon/protocol/fido-requests.ts';
import { until } from './until.ts';

/** One request to the keys, as a test answers it. */
export interface FakeCall<R, T> {
  readonly request: R;
  readonly watch: Watch;
  readonly pins: string[];
  cancelled: boolean;
  answer(outcome: T | FidoFailure): void;
}

export const failed = (reason: FidoFailure['reason']): FidoFailure => ({
  kind: 'failed',
  reason,
  detail: '',
});

/** Keys of this machine that answer as and when a test decides. */
export class FakeKeys implements FidoHelper {
  plugged: PluggedKey[] = [];
  readonly made: FakeCall<MakeRequest, Made>[] = [];
  readonly asserted: FakeCall<AssertRequest, Asserted>[] = [];

  async list(): Promise<readonly PluggedKey[]> {
    return this.plugged;
  }

  make(request: MakeRequest, watch: Watch): FidoCall<Made> {
    return begin(this.made, request, watch);
  }

  assert(request: AssertRequest, watch: Watch): FidoCall<Asserted> {
    return begin(this.asserted, request, watch);
  }

  plug(): void {
    this.plugged = [{ name: 'a key', fido2: true }];
  }

  /** The request of that number, once it is made. */
  async asks(number = 1): Promise<FakeCall<AssertRequest, Asserted>> {
    await until(() => this.asserted.length >= number, 60_000);
    return this.asserted[number - 1] as FakeCall<AssertRequest, Asserted>;
  }

  async makes(number = 1): Promise<FakeCall<MakeRequest, Made>> {
    await until(() => this.made.length >= number, 60_000);
    return this.made[number - 1] as FakeCall<MakeRequest, Made>;
  }
}

function begin<R, T>(calls: FakeCall<R, T>[], request: R, watch: Watch): FidoCall<T> {
  let answer: (outcome: T | FidoFailure) => void = () => undefined;
  const outcome = new Promise<T | FidoFailure>((resolve) => {
    answer = resolve;
  });
  const call: FakeCall<R, T> = { request, watch, pins: [], cancelled: false, answer };
  calls.push(call);
  return {
    outcome,
    pin: (pin) => {
      call.pins.push(pin.toString());
      pin.fill(0);
    },
    cancel: () => {
      call.cancelled = true;
      answer(failed('cancelled'));
    },
  };
}
