#!/usr/bin/env node
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Sandbox } from './demo/sandbox.ts';
import { selfTest } from './demo/self-test.ts';

/** `npm start`: sallyportd in ./.sallyport, a factor for whoever runs it, and a login with it. */

const usage = `usage: npm start [-- --self-test]

Brings sallyportd up in ./.sallyport, enrols you, and takes a login through the real PAM module.
  --self-test   the same without a person, in a folder of its own; also tries a replay and a wrong code
`;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
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
      say('\nNothing was enrolled; the daemon stays up all the same.');
      return;
    }
    say('\nThat code is spent. Wait until your app shows the next one, then log in with it.');
  }
  say(`\nA login of ${user} through pam_sallyport.so:\n`);
  const login = await sandbox.login(user);
  say(login.status === 0 ? '' : '\nThat login was refused. The audit trail says why (below).');
}

/** What comes after a first factor, in the order in which people want it. */
function lastWords(cli: string, user: string, portal: string | undefined): string {
  const signIn =
    portal === undefined
      ? ''
      : `
In the portal, with your password or with a link that this prints:
  ${portal}
  ${cli} portal link
`;
  return `
What is next, in another terminal. Recovery keys, for a day without your phone:
  ${cli} factor add recovery ${user}
${signIn}
What happened, and what a login from elsewhere would be asked for:
  ${cli} audit --user ${user}
  ${cli} explain ${user} --service sshd --from 192.0.2.7

On a machine of your own, with the package installed (docs/how-to/install.md): a real sshd, for ten minutes. The change
goes back by itself unless a new login has confirmed it, so that nobody is locked out (docs/how-to/roll-out.md):
  sallyport pam enable sshd --with password --try 10m

sallyportd stays up until you press Ctrl-C.`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { 'self-test': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  if (values['self-test'] === true) return selfTest();

  const sandbox = new Sandbox(resolve('.sallyport'));
  const user = userInfo().username;
  if (!sandbox.exists) {
    say(`Laying out ${sandbox.root}`);
    const init = await sandbox.init();
    if (init.status !== 0) {
      process.stderr.write(init.output);
      return init.status;
    }
  }
  await sandbox.start();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void sandbox.stop());
  say(`sallyportd is up (pid ${sandbox.pid}); its log is ${sandbox.log}`);
  const portal = await sandbox.startPortal();
  if (portal === undefined) say(`The portal is not up; its log is ${sandbox.portalLog}`);
  else say(`The portal is up: ${portal} (sign in with your account and password)`);
  if (process.stdin.isTTY && process.stdout.isTTY) await enrolAndLogIn(sandbox, user);

  const cli = `node dist/cli/main.js --config ${sandbox.config}`;
  say(lastWords(cli, user, portal));
  await sandbox.ended();
  return 0;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`npm start: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
