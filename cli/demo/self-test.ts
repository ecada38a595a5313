import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { generateSecret, generateSync } from 'otplib';
import { type Ran, Sandbox } from './sandbox.ts';

/** A result of pam_authenticate: <security/_pam_types.h>. */
const pamSuccess = 0;

/** The code `ahead` steps after the current one. */
function totpCode(secret: string, ahead: number): string {
  const step = Math.floor(Date.now() / 1000 / 30) + ahead;
  return generateSync({ strategy: 'hotp', secret, counter: step });
}

/** A wrong code: no step that the realm accepts has it. */
function wrongCode(secret: string): string {
  const near = new Set([-3, -2, -1, 0, 1, 2, 3].map((ahead) => totpCode(secret, ahead)));
  let code = 0;
  while (near.has(String(code).padStart(6, '0'))) code += 1;
  return String(code).padStart(6, '0');
}

/**
 * `npm start -- --self-test`: runs `npm start` unattended, in a temporary directory that is removed at the end.
 * Ends with a line "N passed, N failed".
 * @returns the exit status
 */
export async function selfTest(): Promise<number> {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-'));
  const test = new SelfTest(new Sandbox(root));
  try {
    await test.begins();
    await test.totp();
    await test.recoveryKeys();
    await test.auditTrail();
    await test.withoutDaemon();
  } catch (error) {
    test.breaks(error);
  } finally {
    await test.end();
    rmSync(root, { recursive: true, force: true });
  }
  process.stdout.write(`\n${test.passed} passed, ${test.failed} failed\n`);
  return test.failed === 0 ? 0 : 1;
}

/** The steps, in the order in which they are run: each needs what those before it have left. */
class SelfTest {
  readonly #sandbox: Sandbox;
  readonly #user = userInfo().username;
  readonly #secret = generateSecret();
  passed = 0;
  failed = 0;

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
  }

  async begins(): Promise<void> {
    const init = await this.#sandbox.init();
    this.#check('init creates configuration, master key and store', init, init.status === 0);
    await this.#sandbox.start();
    const status = await this.#sandbox.cli(['status', '--json'], '');
    this.#check('sallyportd is running', status, status.status === 0);
  }

  async totp(): Promise<void> {
    const first = totpCode(this.#secret, 0);
    const add = await this.#sandbox.cli(
      ['factor', 'add', 'totp', this.#user, '--name', 'self-test', '--secret', '-'],
      `${this.#secret}\n${first}\n`,
    );
    this.#check('a TOTP factor is enrolled with a current code', add, add.status === 0);
    await this.#refuses('the code that enrolled it', first);
    const second = totpCode(this.#secret, 1);
    await this.#lets('a new code', second);
    await this.#refuses('the same code again', second);
    await this.#refuses('a wrong code', wrongCode(this.#secret));
  }

  async recoveryKeys(): Promise<void> {
    const recovery = await this.#sandbox.cli(['factor', 'add', 'recovery', this.#user], '');
    const key = recovery.output
      .split('\n')
      .find((line) => /^[2-9a-z]{5}(?:-[2-9a-z]{5}){3}$/.test(line.trim()));
    this.#check('ten recovery keys are created', recovery, recovery.status === 0 && key !== undefined);
    await this.#lets('a recovery key', key ?? '');
    await this.#refuses('the same recovery key again', key ?? '');
  }

  async auditTrail(): Promise<void> {
    const audit = await this.#sandbox.cli(['audit', '--json', '--user', this.#user], '');
    this.#check('every decision is in the audit trail', audit, auditIsWhole(audit));
  }

  async withoutDaemon(): Promise<void> {
    await this.#sandbox.stop();
    await this.#refuses('with sallyportd stopped', totpCode(this.#secret, 0));
  }

  breaks(error: unknown): void {
    this.failed += 1;
    process.stdout.write(`FAILED ${error instanceof Error ? error.message : String(error)}\n`);
  }

  end(): Promise<void> {
    return this.#sandbox.stop();
  }

  async #lets(what: string, answer: string): Promise<void> {
    const ran = await this.#sandbox.login(this.#user, `${answer}\n`);
    this.#check(`${what}: let in`, ran, ran.status === pamSuccess);
  }

  async #refuses(what: string, answer: string): Promise<void> {
    const ran = await this.#sandbox.login(this.#user, `${answer}\n`);
    this.#check(`${what}: refused`, ran, ran.status !== pamSuccess);
  }

  #check(what: string, ran: Ran, right: boolean): void {
    if (right) this.passed += 1;
    else this.failed += 1;
    process.stdout.write(`${right ? 'ok    ' : 'FAILED'} ${what}\n`);
    if (!right)
      process.stdout.write(ran.output.replaceAll(this.#secret, '(secret)').replace(/^/gm, '       | '));
  }
}

function auditIsWhole(audit: Ran): boolean {
  const count = (text: string): number => audit.output.split(`"${text}"`).length - 1;
  return audit.status === 0 && count('success') === 2 && count('replay') >= 1 && count('wrong') >= 1;
}
