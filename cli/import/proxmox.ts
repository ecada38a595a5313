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

/** pmxcfs holds files of 1 MiB at the most, Backup Server any: this is some 50 000 users. */
const mostBytes = 64 * 1_048_576;

export interface ProxmoxOptions {
  readonly user?: string;
  /** Of the realms of Proxmox VE the one whose users have accounts here. */
  readonly realm: string;
  /** Of its settings in datacenter.cfg; Backup Server keeps the first one in its own file. */
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
        'it is no tfa.cfg of Proxmox VE 7 or newer (a JSON object with "users"); an older one becomes one when it is changed there: pveum user tfa list shows whether it is read',
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
    // The parser's own message quotes the text.
    throw new ImportError('it is no JSON');
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
    return problem(
      place,
      `is not of the realm ${realm}, whose users have accounts here; another one is named with --realm`,
      id,
    );
  try {
    const { factors, cannot, lock } = readUser(value, name, settings);
    return found(source, undefined, name, factors, { cannot, ...(lock === undefined ? {} : { lock }) });
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    return problem(place, error.message, name);
  }
}
