import { join } from 'node:path/posix';
import { type Check, type Finding, finding, type Machine, notChecked, orGood } from './contract.ts';

/** The helper programs that sallyportd uses for passwords and plugged-in keys. */
export const helpersCheck: Check = {
  id: 'helpers',
  what: 'passwords can be verified, and plugged-in security keys used',
  async run(machine) {
    const read = await machine.config();
    if (read.kind !== 'good') return [notChecked('the sockets of the helpers', 'see the configuration')];
    const { paths, portal, webauthn } = read.config;
    const password = await away(machine, paths.passwordHelper, paths.passwordSocket);
    const keys = webauthn === undefined ? undefined : await away(machine, paths.fidoHelper, paths.fidoSocket);
    const findings: Finding[] = [];
    if (password === 'unseen')
      findings.push(notChecked(`whether a process accepts connections on ${paths.passwordSocket}`));
    else if (password !== undefined)
      findings.push(
        finding(
          portal === undefined ? 'helper.password-none' : 'helper.password-unreachable',
          password,
          'systemctl enable --now sallyport-password.socket (docs/reference/pam-stacks.md)',
        ),
      );
    else findings.push(...(await service(machine, paths.passwordServiceDir)));
    if (keys === 'unseen')
      findings.push(notChecked(`whether a process accepts connections on ${paths.fidoSocket}`));
    else if (keys !== undefined)
      findings.push(
        finding(
          'helper.fido-unreachable',
          keys,
          'systemctl enable --now sallyport-fido.socket (docs/reference/pam-stacks.md)',
        ),
      );
    return orGood(
      findings,
      webauthn === undefined
        ? 'passwords can be verified'
        : 'passwords can be verified, and plugged-in security keys used',
    );
  },
};

/** @returns what is wrong; undefined if nothing. A connection starts a helper, which ends with the connection. */
async function away(
  machine: Machine,
  program: string | undefined,
  socket: string,
): Promise<string | 'unseen' | undefined> {
  if (program !== undefined) {
    const entry = await machine.files.look(program);
    if (entry.kind === 'unseen') return 'unseen';
    if (entry.kind === 'absent') return `there is no ${program}`;
    return (entry.mode & 0o111) === 0 ? `${program} is not executable` : undefined;
  }
  switch (await machine.connects(socket)) {
    case 'accepts':
      return undefined;
    case 'forbidden':
      return 'unseen';
    case 'absent':
      return `there is no ${socket}`;
    case 'silent':
      return `no process accepts connections on ${socket}`;
  }
}

/** Without its own PAM file the helper refuses every password; a file with the second factor would deadlock it. */
async function service(machine: Machine, directory = '/etc/pam.d'): Promise<readonly Finding[]> {
  const path = join(directory, 'sallyport-password');
  const fix = `install pam-config/pam.d/sallyport-password as ${path}`;
  const read = await machine.files.read(path);
  if (read.kind === 'unseen') return [notChecked(`${path} (${read.why})`)];
  if (read.kind === 'absent') return [finding('helper.password-service', `there is no ${path}`, fix)];
  if (/^[^#]*(?:pam_sallyport\.so|@?include\s+common-auth)/m.test(read.text))
    return [
      finding('helper.password-service', `${path} asks for the second factor, or includes common-auth`, fix),
    ];
  return [];
}
