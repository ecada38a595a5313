import type { Login, Plan } from './driver.ts';

export type ModuleName =
  | 'empty stack'
  | 'C floor'
  | 'Node floor'
  | 'pam_google_authenticator'
  | 'pam_oath'
  | 'pam_sallyport'
  | 'pam_sallyport, many users'
  | 'pam_sallyport, base'
  | 'pam_sallyport, YubiKey'
  | 'pam_sallyport, ssh-sk';

/** A module on its stack, with so many users. */
export interface Contestant {
  readonly module: ModuleName;
  /** Accounts that it knows; undefined: their number plays no part. */
  readonly users: number | undefined;
  /** Of the PAM service. */
  readonly service: string;
  /** Put into the environment of PAM. */
  readonly environment?: Readonly<Record<string, string>>;
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
  /** Starts its daemon again. */
  restart?(): Promise<void>;
  stop?(): Promise<void>;
  /** CPU seconds that its daemon has used so far. */
  cpu?(): number;
}
