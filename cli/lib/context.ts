import type { Command } from 'commander';
import { type ControlClient, createClient } from '../../daemon/client/client.ts';
import type { World } from './environment.ts';
import { CliError, type ExitStatus, exitStatus } from './errors.ts';
import { type OfflineDaemon, startOffline } from './offline.ts';
import { createOutput, type Output } from './output.ts';
import { createPrompt, type Prompt } from './prompt.ts';
import { tokenAsker } from './sign-in.ts';
import { controlSocket, defaultConfigFile } from './socket.ts';

/** Dependencies of a command. */
export interface Context {
  readonly world: World;
  readonly output: Output;
  readonly prompt: Prompt;
  /** The configuration file: --config or the default. */
  readonly configFile: () => string;
  /** The daemon's client, created on first use: `init` and `realm check` need none. */
  readonly client: () => ControlClient;
  /** Signs in before the next request, for changes that must not begin without an access token. */
  readonly signedIn: () => Promise<void>;
  /** Sets the exit status, unless the command throws. */
  readonly end: (status: ExitStatus | number) => void;
}

/** Creates the context of one command line, with access to its exit status. */
export function createContext(
  world: World,
  program: Command,
): { readonly context: Context; readonly status: () => number; readonly close: () => Promise<void> } {
  let status: number = exitStatus.done;
  let client: ControlClient | undefined;
  let offline: OfflineDaemon | undefined;
  let signInFirst: (() => Promise<string>) | undefined;
  const configFile = () => {
    const { config }: { config?: unknown } = program.opts();
    return typeof config === 'string' ? config : defaultConfigFile;
  };
  const context: Context = {
    world,
    output: createOutput(world),
    prompt: createPrompt(world),
    configFile,
    client: () => {
      if (client !== undefined) return client;
      const { offline: isOffline }: { offline?: unknown } = program.opts();
      if (isOffline === true) {
        offline = startOffline(world, configFile());
        client = createClient({ socket: 'sallyportd --offline', carrier: offline.carrier });
        return client;
      }
      const socket = controlSocket(configFile());
      const { link }: { link?: unknown } = program.opts();
      const ask = tokenAsker(socket, link === true ? 'link' : 'password', context);
      client = createClient({ socket, signIn: ask });
      signInFirst = ask;
      return client;
    },
    signedIn: async () => {
      context.client();
      const token = await signInFirst?.();
      client = createClient({
        socket: controlSocket(configFile()),
        ...(token === undefined ? {} : { token }),
      });
    },
    end: (given) => {
      status = given;
    },
  };
  return { context, status: () => status, close: async () => offline?.close() };
}

/** Requires a value. @throws CliError usage */
export function needed<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new CliError('usage', what);
  return value;
}
