import type { Login, Plan } from './driver.ts';

export type ModuleName =
  | 'empty stack'
  | 'pam_google_authenticator'
  | 'pam_oath'
  | 'pam_sallyport'
  | 'pam_sallyport, YubiKey';

/** A module on its stack, with so many users. */
export interface Contestant {
  readonly module: ModuleName;
  /** Accounts that it knows; undefined: their number plays no part. */
  readonly users: number | undefined;
  /** Of the PAM service. */
  readonly service: string;
  /** How many logins a client may make in one run of many clients. */
  readonly mostLogins: number;
  /** Logins that make it warm. */
  readonly warmUp: number;
  /** Makes ready for a run and says what the clients do in it; each code is right and was never used. */
  plan(clients: number, logins: number): Plan[];
  /** Hears how a plan went: where codes were refused, it goes on behind the last that was accepted. */
  went?(plans: readonly Plan[], logins: readonly Login[]): void;
  /** Only the one that is measured runs. */
  wake?(): void;
  rest?(): void;
  /** CPU seconds that its daemon has used so far. */
  cpu?(): number;
}
