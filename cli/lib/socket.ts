import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { CliError, systemCode } from './errors.ts';

export const defaultConfigFile = '/etc/sallyport/sallyport.toml';
const defaultSocket = '/run/sallyport/control.sock';

/**
 * Finds the control socket, the only setting the CLI needs. A file that is invalid elsewhere must not keep an
 * administrator from the daemon, which runs on the last valid one; an ordinary user may not be able to read the file.
 * @throws CliError config-unreadable: the file given with --config cannot be read
 */
export function controlSocket(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (file === defaultConfigFile) return defaultSocket;
    const why = systemCode(error);
    throw new CliError('config-unreadable', `cannot read ${file} (${why}); check --config`);
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

/** A file that is not valid TOML may still contain the line. */
function lineIn(text: string): string | undefined {
  return /^\s*control_socket\s*=\s*["'](\/[^"'\\\n]*)["']\s*(?:#.*)?$/m.exec(text)?.[1];
}

/** `init --root` puts everything below one directory. */
function socketBeside(file: string): string {
  const root = /^(.*)\/etc\/sallyport\.toml$/.exec(file)?.[1];
  return root === undefined ? defaultSocket : `${root}/run/control.sock`;
}

/** Adds --config to each "sallyport COMMAND" in a text, unless the configuration is the default file. */
export function commandWith(text: string, file: string): string {
  if (file === defaultConfigFile) return text;
  return text.replaceAll(/\bsallyport(?= [a-z])/g, `sallyport --config ${file}`);
}
