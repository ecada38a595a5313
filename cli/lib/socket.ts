import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { CliError, systemCode } from './errors.ts';

export const defaultConfigFile = '/etc/sallyport/sallyport.toml';
const defaultSocket = '/run/sallyport/control.sock';

/**
 * Where the daemon listens: all that the CLI needs of the configuration. A file that is bad elsewhere must
 * not keep the admin from the daemon that runs on the last good one, and an ordinary user may not read it.
 * @throws CliError config-unreadable: a file that was named and cannot be read
 */
export function controlSocket(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (file === defaultConfigFile) return defaultSocket;
    const why = systemCode(error);
    throw new CliError('config-unreadable', `${file} cannot be read (${why}); check what --config says`);
  }
  return socketIn(text) ?? socketBeside(file);
}

function socketIn(text: string): string | undefined {
  try {
    const { paths } = parse(text);
    if (typeof paths !== 'object' || !('control_socket' in paths)) return undefined;
    const path = paths.control_socket;
    return typeof path === 'string' && path.startsWith('/') ? path : undefined;
  } catch {
    return lineIn(text);
  }
}

/** In a file that is no TOML any more the line may still stand. */
function lineIn(text: string): string | undefined {
  return /^\s*control_socket\s*=\s*["'](\/[^"'\\\n]*)["']\s*(?:#.*)?$/m.exec(text)?.[1];
}

/** Below `init --root` everything lies under one directory. */
function socketBeside(file: string): string {
  const root = /^(.*)\/etc\/sallyport\.toml$/.exec(file)?.[1];
  return root === undefined ? defaultSocket : `${root}/run/control.sock`;
}

/** Every "sallyport COMMAND" of a text, with --config where the configuration lies in no usual place. */
export function commandWith(text: string, file: string): string {
  if (file === defaultConfigFile) return text;
  return text.replaceAll(/\bsallyport(?= [a-z])/g, `sallyport --config ${file}`);
}
