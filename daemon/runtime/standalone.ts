import type { ControlServer } from '../control/server.ts';
import type { Addon } from '../host/addon.ts';
import { takeActivatedSockets } from '../host/socket-activation.ts';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { version } from '../lib/program.ts';
import type { LoginServer } from '../login/server.ts';
import { apiPart } from './control-api.ts';
import {
  authenticatorsPart,
  type Base,
  baseOf,
  clock,
  rateLimiters,
  storePart,
  verifierPart,
} from './parts.ts';
import { checkOf, statusLine } from './service-manager.ts';
import { warmUp } from './warm-up.ts';

/** sallyportd with its store, for the logins of this machine: until a signal ends it. */
export async function standalone(file: string, addon: Addon, log: Log): Promise<void> {
  const base = baseOf(file, addon, log);
  const { configuration, manager, started } = base;
  const activated = takeActivatedSockets(process.env, process.pid);
  for (const descriptor of activated.values()) addon.closeOnExec(descriptor);
  const stored = await storePart(base);
  const authenticators = authenticatorsPart(base);
  const rateLimiter = rateLimiters(base);
  const verifying = verifierPart(base, stored, authenticators, rateLimiter);
  const { login } = verifying;
  const control = await apiPart(base, { stored, authenticators, verifying, rateLimiter });
  // Before the first socket exists, so that an early signal leaves none behind.
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const listeners = await listenersPart(base, activated, control, login);
  stored.start();
  manager.ready(() => statusLine(stored.store, configuration, login.open()), checkOf(stored.store));
  log.info('ready', { version: version(), pid: process.pid, file, startedIn: clock.now() - started });

  const warm = new AbortController();
  const warming = warmUp(base.host, warm.signal).catch((error: unknown) =>
    log.warning('not-warmed-up', { message: messageOf(error) }),
  );

  await stopped;
  warm.abort();
  manager.stopping('Stopping: logins under way hear that they must try again');
  log.info('stopping');
  await listeners.close();
  await warming;
  verifying.close();
  await stored.close();
}

/** control.sock first and pam.sock last: who finds pam.sock finds all of it. */
async function listenersPart(
  { paths }: Base,
  activated: ReadonlyMap<string, number>,
  control: ControlServer,
  login: LoginServer,
) {
  const at = (name: string, path: string): { path: string } | { fd: number } => {
    const descriptor = activated.get(name);
    return descriptor === undefined ? { path } : { fd: descriptor };
  };
  await control.listen(at('control', paths.controlSocket));
  await login.listen('user', at('pam-user', paths.pamUserSocket));
  await login.listen('root', at('pam', paths.pamSocket));
  return {
    async close() {
      await login.close();
      await control.close();
    },
  };
}
