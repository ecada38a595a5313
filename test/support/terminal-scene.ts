import assert from 'node:assert/strict';
import { type Peer, prompt, type ReceivedFrame, wait } from './fake-daemon.ts';
import type { LoginOptions, ModuleRig } from './module-rig.ts';
import { TerminalLogin } from './terminal-login.ts';

/** Logins that the daemon asks at their terminal. */
export const text = 'Touch your key, or type a code: ';
export const ask = (): Buffer => prompt(text, 'terminal');
export const tags = { terminal: 0x0e, answer: 0x20 };

function reported(frame: ReceivedFrame | undefined): string {
  const bytes = frame?.fields.get(tags.answer);
  return frame === undefined ? 'the end' : bytes === undefined ? frame.type : `${frame.type} ${bytes}`;
}

/** A login that hangs is a failure, and not to be waited for. */
export const suites = { concurrency: 4, timeout: 120_000 };

export interface Scene {
  readonly login: TerminalLogin;
  /** The daemon's side of the connection, HELLO taken. */
  readonly peer: Peer;
  readonly hello: ReceivedFrame;
  /** The next frame of the module. */
  hears(): Promise<string>;
}

/** A login whose daemon has got HELLO and does nothing more by itself. */
export async function scene(rig: ModuleRig, options: LoginOptions = {}): Promise<Scene> {
  const place = rig.place();
  const connected = new Promise<Peer>((resolve, reject) => {
    place.listen((peer) => resolve(peer)).catch(reject);
  });
  const login = new TerminalLogin(place, options);
  login.outcome.catch(() => undefined);
  const peer = await connected;
  const hello = await peer.next();
  assert.ok(hello);
  return { login, peer, hello, hears: async () => reported(await peer.next()) };
}

/** The prompt stands on the terminal, and what is typed does not show. */
export async function prompted(rig: ModuleRig, options: LoginOptions = {}): Promise<Scene> {
  const made = await scene(rig, options);
  assert.deepEqual(made.hello.fields.get(tags.terminal), Buffer.from([1]));
  made.peer.send(wait(), ask());
  await made.login.sees(/code: /);
  assert.equal((await made.login.state()).echo, false);
  return made;
}

/** The code, and the terminal as it was, with nothing in its queue that a shell would read. */
export async function ends(login: TerminalLogin, code: number): Promise<void> {
  assert.equal((await login.outcome).code, code);
  const { signal, echo, same, left } = await login.ended();
  assert.deepEqual({ signal, echo, same, left }, { signal: 0, echo: true, same: true, left: '' });
  assert.match(login.screen, /\r\n$/);
}
