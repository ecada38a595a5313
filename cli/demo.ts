#!/usr/bin/env node
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { lastWords } from './demo/last-words.ts';
import { Sandbox } from './demo/sandbox.ts';
import { selfTest } from './demo/self-test.ts';
import { foldingColumns, foldText } from './lib/fold.ts';

/** `npm start`: sallyportd in ./.sallyport, a factor for the current user, and a login with it. */

const usage = `usage: npm start [-- --self-test]

Starts sallyportd in ./.sallyport, enrols you, and logs you in through the real PAM module.
  --self-test   Run the same unattended in a temporary directory, with a replay and a wrong code
`;

function say(text: string): void {
  process.stdout.write(`${foldText(text, foldingColumns(process.stdout))}\n`);
}

async function hasFactors(sandbox: Sandbox, user: string): Promise<boolean> {
  const list = await sandbox.cli(['factor', 'list', user, '--json'], '');
  return list.status === 0 && list.output.includes('"kind"');
}

async function enrolAndLogIn(sandbox: Sandbox, user: string): Promise<void> {
  if (!(await hasFactors(sandbox, user))) {
    say(`\nEnrolling ${user}. Scan the code with an authenticator app, then type the six digits it shows.\n`);
    const add = await sandbox.cli(['factor', 'add', 'totp', user]);
    if (add.status !== 0) {
      say('\nNothing was enrolled; the daemon keeps running.');
      return;
    }
    say('\nThat code is now used. Wait until your app shows the next one, then log in with it.');
  }
  say(`\nA login of ${user} through pam_sallyport.so:\n`);
  const login = await sandbox.login(user);
  say(login.status === 0 ? '' : '\nThat login was refused. The audit trail says why (below).');
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { 'self-test': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    say(usage.trimEnd());
    return 0;
  }
  if (values['self-test'] === true) return selfTest();

  const sandbox = new Sandbox(resolve('.sallyport'));
  const user = userInfo().username;
  if (!sandbox.exists) {
    say(`Creating ${sandbox.root}`);
    const init = await sandbox.init();
    if (init.status !== 0) {
      process.stderr.write(init.output);
      return init.status;
    }
  }
  await sandbox.start();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void sandbox.stop());
  say(`sallyportd is running (pid ${sandbox.pid}); log: ${sandbox.log}`);
  const portal = await sandbox.startPortal();
  if (portal === undefined) say(`The portal did not start; log: ${sandbox.portalLog}`);
  else say(`The portal is running: ${portal} (sign in with your account and password)`);
  if (process.stdin.isTTY && process.stdout.isTTY) await enrolAndLogIn(sandbox, user);

  const cli = `node dist/cli/main.js --config ${sandbox.config}`;
  process.stdout.write(`${lastWords(cli, user, portal, foldingColumns(process.stdout))}\n`);
  await sandbox.ended();
  return 0;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    const text = `npm start: ${error instanceof Error ? error.message : String(error)}`;
    process.stderr.write(`${foldText(text, foldingColumns(process.stderr))}\n`);
    process.exitCode = 1;
  },
);
