import { type Device, hotp, yubikey } from './devices.ts';
import type { RestPlan } from './rest.ts';

/** How much is measured. */
export interface Scope {
  /** Of one client, cold and warm; and blocks of 50 logins in a warm one. */
  readonly rounds: number;
  readonly blocks: number;
  readonly rests: readonly RestPlan[];
  readonly clients: readonly number[];
  /** That of one client is compared with one user. */
  readonly most: number;
  /** In the table of many clients, beside as many users as there are clients. */
  readonly users: readonly number[];
  /** With as many users as clients. */
  readonly devices: readonly Device[];
  /** Logins that the daemon has done before it is measured. */
  readonly warmUp: number;
  /** About how long one run of many clients takes. */
  readonly seconds: number;
  readonly repeats: number;
  /** No new round of runs begins that would not end by then. */
  readonly budget: number;
}

const ordinary: Scope = {
  rounds: 3,
  blocks: 20,
  rests: [
    { seconds: 5, samples: 20 },
    { seconds: 30, samples: 20 },
  ],
  clients: [1, 16, 64],
  most: 100_000,
  users: [100_000],
  devices: [hotp, yubikey],
  warmUp: 3_000,
  seconds: 1.5,
  repeats: 3,
  budget: 600,
};

export const scopes = {
  quick: {
    ...ordinary,
    rounds: 1,
    blocks: 4,
    rests: [{ seconds: 3, samples: 2 }],
    clients: [1, 64],
    most: 10_000,
    users: [],
    devices: [hotp],
    warmUp: 400,
    seconds: 0.3,
    budget: 5,
  },
  ordinary,
  long: {
    ...ordinary,
    rounds: 5,
    rests: [...ordinary.rests, { seconds: 300, samples: 5 }],
    most: 1_000_000,
    budget: 1_200,
  },
} as const satisfies Record<string, Scope>;
