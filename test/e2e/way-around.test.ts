import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../support/rig/layout.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, as, password, setUpRoot } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { moduleLine, useSnippet, writeStack } from '../support/rig/stack.ts';
import { onConsole, onTty } from '../support/rig/terminal.ts';

/**
 * While sallyportd is unavailable only login(1) accepts root with the password at the console. A local user who can
 * open a terminal named like a console (dialout and /dev/ttyS0) gains nothing from it.
 */
const realms = `
[[realm]]
name = "everybody"
members = { uids = ["0", "3000-3999"] }
require = "any"

[[realm]]
name = "rest"
require = "none"
`;

/** Debian's common-auth as pam-auth-update writes it with our profile enabled. */
function profileOn(): void {
  const profile = readFileSync(join(repository, 'pam-config/pam-configs/sallyport'), 'utf8');
  const lines = [...profile.matchAll(/^\t(.*)$/gm)].map(
    ([, line = '']) => `auth ${line.replace('pam_sallyport.so', moduleLine())}`,
  );
  writeStack('common-auth', [
    'auth [success=1 default=ignore] pam_unix.so nullok nodelay',
    'auth requisite pam_deny.so',
    'auth required pam_permit.so',
    ...lines,
  ]);
}

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  setUpRoot();
  const mallory = addPerson('mallory');
  const su = [...as(mallory), 'su', 'root', '-c', 'echo "in-$(id -un)"'];

  const staysOut = async (tty: string, command: readonly string[]) => {
    const terminal = onConsole(tty, command);
    await terminal.answer(/[Pp]assword.*: /, password);
    assert.notEqual(await terminal.ended(), 0, terminal.transcript);
    assert.doesNotMatch(terminal.transcript, /in-root/);
  };
  const rootGetsIn = async (tty: string) => {
    const terminal = onTty(tty);
    await terminal.answer(/login: /, 'root');
    await terminal.answer(/Password: /, password);
    await terminal.expect(/# /);
    await terminal.hangUp();
  };

  scenario(product, 'the profile: su on a serial line is refused, login at a console is not', async () => {
    const common = readFileSync('/etc/pam.d/common-auth', 'utf8');
    profileOn();
    await product.stop();
    for (const tty of ['ttyS0', 'tty2', 'console']) await staysOut(tty, su);
    await rootGetsIn('tty3');
    await product.start();
    writeFileSync('/etc/pam.d/common-auth', common);
  });

  scenario(
    product,
    'the stack of login, used for su and sudo by mistake, allows no login there',
    async () => {
      for (const service of ['su', 'sudo', 'login']) useSnippet(service, 'sallyport-login');
      appendFileSync(
        '/etc/sudoers',
        '\nmallory ALL=(ALL) ALL\nDefaults:mallory rootpw, passwd_tries=1, lecture=never\n',
      );
      await product.stop();
      await staysOut('ttyS0', su);
      await staysOut('ttyS0', [...as(mallory), 'sudo', '-k', 'sh', '-c', 'echo "in-$(id -un)"']);
      await rootGetsIn('ttyS0');
      await product.start();
    },
  );
});
