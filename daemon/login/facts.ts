import { sshSkKeysIn } from '../factors/encodings/ssh-key.ts';
import type { HostFacts, Origin } from '../host/contract.ts';
import { canonicalAddress } from '../lib/network.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { sshTty } from '../policy/secrets.ts';
import type { HelloFrame } from '../protocol/login.ts';

/**
 * The first factor of a login is verified if it comes over pam.sock and the stack says so, or sshd has verified a
 * key.
 *
 * Invariants:
 * - on pam-user.sock no first factor is verified, whatever HELLO says;
 * - SSH_AUTH_INFO_0 is trusted only from the service sshd: in another program it is only an environment variable;
 * - a line counts only if its first word is exactly `publickey` (sshd, auth2-pubkey.c).
 */
export function isFirstFactorVerified(hello: HelloFrame, rootSocket: boolean): boolean {
  if (!rootSocket) return false;
  if (hello.firstFactorPassed) return true;
  return believedAuthInfo(hello, rootSocket)
    .split('\n')
    .some((line) => line.startsWith('publickey '));
}

/** What sshd says it has verified; empty for any other service. */
function believedAuthInfo(hello: HelloFrame, rootSocket: boolean): string {
  return rootSocket && hello.service === 'sshd' ? (hello.sshAuthInfo ?? '') : '';
}

export const virtualConsole = /^(?:\/dev\/)?tty(?:[1-9]|[1-5][0-9]|6[0-3])$/;

/**
 * Local: a root HELLO without rhost in a session that logind calls local and active, or, where no session exists
 * yet, on a virtual console. Unknown counts as remote.
 */
async function isLocal(hello: HelloFrame, rootSocket: boolean, host: HostFacts): Promise<boolean> {
  if (!rootSocket || hello.rhost !== undefined) return false;
  if (hello.session !== undefined) return host.sessionIsLocal(hello.session);
  // Only login(1) is asked before there is a session; any other service without one was started remotely.
  return hello.service === 'login' && hello.tty !== undefined && virtualConsole.test(hello.tty);
}

/**
 * Whether what is shown reaches the person, and no log.
 *
 * Invariants:
 * - on pam-user.sock nothing a program says is trusted, so the answer is unknown;
 * - it is known for sshd, by the PAM_TTY that it sets, and where the module has found a person at the terminal of
 *   the program and writes there itself (docs/reference/protocol.md, "At the terminal"). The name of a service is
 *   not enough.
 */
function reachesPerson({ service, tty, terminal }: HelloFrame, rootSocket: boolean): boolean {
  return rootSocket && (terminal || (service === 'sshd' && tty === sshTty));
}

/** How records and events name a host; nothing names the machine that sallyportd runs on. */
export function named({ id, name }: HostFacts): Pick<LoginFacts, 'host'> {
  return id === '' ? {} : { host: { id, name } };
}

/** Asks the host for what HELLO does not contain. */
export async function factsOf(hello: HelloFrame, { host, socket, peerUid }: Origin): Promise<LoginFacts> {
  const rootSocket = socket === 'root';
  const source = hello.rhost === undefined ? undefined : canonicalAddress(hello.rhost);
  const authInfo = believedAuthInfo(hello, rootSocket);
  const sshKeys = authInfo === '' ? [] : sshSkKeysIn(authInfo);
  return {
    ...named(host),
    service: hello.service,
    user: hello.user,
    ...(hello.rhost === undefined ? {} : { rhost: hello.rhost }),
    ...(source === undefined ? {} : { source }),
    ...(hello.tty === undefined ? {} : { tty: hello.tty }),
    ...(hello.session === undefined ? {} : { session: hello.session }),
    bootId: host.bootId,
    realUid: hello.realUid,
    peerUid,
    firstFactorVerified: isFirstFactorVerified(hello, rootSocket),
    rootSocket,
    local: await isLocal(hello, rootSocket, host),
    reachesPerson: reachesPerson(hello, rootSocket),
    ...(sshKeys.length === 0 ? {} : { sshKeys }),
    mode: hello.mode,
  };
}
