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
  const sandbox = new Sandbox(root);
  const user = userInfo().username;
  const secret = generateSecret();
  let passed = 0;
  let failed = 0;
  const check = (what: string, ran: Ran, right: boolean): void => {
    if (right) passed += 1;
    else failed += 1;
    process.stdout.write(`${right ? 'ok    ' : 'FAILED'} ${what}\n`);
    if (!right) process.stdout.write(ran.output.replaceAll(secret, '(secret)').replace(/^/gm, '       | '));
  };
  const lets = async (what: string, answer: string): Promise<void> => {
    const ran = await sandbox.login(user, `${answer}\n`);
    check(`${what}: let in`, ran, ran.status === pamSuccess);
  };
  const refuses = async (what: string, answer: string): Promise<void> => {
    const ran = await sandbox.login(user, `${answer}\n`);
    check(`${what}: refused`, ran, ran.status !== pamSuccess);
  };
  try {
    const init = await sandbox.init();
    check('init creates configuration, master key and store', init, init.status === 0);
    await sandbox.start();
    const status = await sandbox.cli(['status', '--json'], '');
    check('sallyportd is running', status, status.status === 0);

    const first = totpCode(secret, 0);
    const add = await sandbox.cli(
      ['factor', 'add', 'totp', user, '--name', 'self-test', '--secret', '-'],
      `${secret}\n${first}\n`,
    );
    check('a TOTP factor is enrolled with a current code', add, add.status === 0);
    await refuses('the code that enrolled it', first);
    const second = totpCode(secret, 1);
    await lets('a new code', second);
    await refuses('the same code again', second);
    await refuses('a wrong code', wrongCode(secret));

    const recovery = await sandbox.cli(['factor', 'add', 'recovery', user], '');
    const key = recovery.output
      .split('\n')
      .find((line) => /^[2-9a-z]{5}(?:-[2-9a-z]{5}){3}$/.test(line.trim()));
    check('ten recovery keys are created', recovery, recovery.status === 0 && key !== undefined);
    await lets('a recovery key', key ?? '');
    await refuses('the same recovery key again', key ?? '');

    const audit = await sandbox.cli(['audit', '--json', '--user', user], '');
    check('every decision is in the audit trail', audit, auditIsWhole(audit));
    await sandbox.stop();
    const unreachable = await sandbox.login(user, `${totpCode(secret, 0)}\n`);
    check('with sallyportd stopped: refused', unreachable, unreachable.status !== pamSuccess);
  } catch (error) {
    failed += 1;
    process.stdout.write(`FAILED ${error instanceof Error ? error.message : String(error)}\n`);
  } finally {
    await sandbox.stop();
    rmSync(root, { recursive: true, force: true });
  }
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

function auditIsWhole(audit: Ran): boolean {
  const count = (text: string): number => audit.output.split(`"${text}"`).length - 1;
  return audit.status === 0 && count('success') === 2 && count('replay') >= 1 && count('wrong') >= 1;
}
