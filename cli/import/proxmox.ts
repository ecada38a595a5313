import {
  found,
  ImportError,
  isObject,
  type Json,
  type Parsed,
  type Parser,
  problem,
  type Source,
} from './contract.ts';
import { readUser } from './proxmox-user.ts';

/** pmxcfs limits files to 1 MiB, Backup Server does not: this is about 50 000 users. */
const mostBytes = 64 * 1_048_576;

export interface ProxmoxOptions {
  readonly user?: string;
  /** The Proxmox realm whose users have accounts on this machine. */
  readonly realm: string;
  /** Settings of datacenter.cfg; Backup Server has the first in a separate file. */
  readonly rpId?: string;
  readonly appId?: string;
}

/** /etc/pve/priv/tfa.cfg, /etc/proxmox-backup/tfa.json and the like: one JSON object. */
export function proxmox(options: ProxmoxOptions): Parser {
  return async function* parse(source) {
    const root = await parsedOf(source);
    const users = isObject(root) ? root.users : undefined;
    if (!isObject(root) || !isObject(users))
      throw new ImportError(
        'not a tfa.cfg of Proxmox VE 7 or newer (a JSON object with "users"); Proxmox converts an older file when it changes it; check there: pveum user tfa list',
      );
    const rpId = options.rpId ?? textIn(root.webauthn, 'id');
    const appId = options.appId ?? textIn(root.u2f, 'appid');
    const settings = { ...(rpId === undefined ? {} : { rpId }), ...(appId === undefined ? {} : { appId }) };
    for (const [id, value] of Object.entries(users)) {
      const parsed = oneUser(source, id, value, options, settings);
      if (parsed !== undefined) yield parsed;
    }
  };
}

async function parsedOf(source: Source): Promise<Json> {
  const bytes = await source.whole(mostBytes);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // The parser's message would quote the text.
    throw new ImportError('not JSON');
  } finally {
    bytes.fill(0);
  }
}

function textIn(value: Json | undefined, key: string): string | undefined {
  const text = isObject(value) ? value[key] : undefined;
  return typeof text === 'string' && text !== '' ? text : undefined;
}

function oneUser(
  source: Source,
  id: string,
  value: Json,
  { user, realm }: ProxmoxOptions,
  settings: { readonly rpId?: string; readonly appId?: string },
): Parsed | undefined {
  const at = id.lastIndexOf('@');
  const name = id.slice(0, at);
  if (user !== undefined && (name !== user || id.slice(at + 1) !== realm)) return undefined;
  const place = { file: source.file };
  if (at <= 0 || id.slice(at + 1) !== realm)
    return problem(place, `is not in the realm ${realm}; to import another realm, use --realm`, id);
  try {
    const { factors, cannot, lock } = readUser(value, name, settings);
    return found(source, undefined, name, factors, { cannot, ...(lock === undefined ? {} : { lock }) });
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    return problem(place, error.message, name);
  }
}
