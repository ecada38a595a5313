import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { csv } from '../import/csv.ts';
import { googleAuthenticator } from '../import/google-authenticator.ts';
import { oath } from '../import/oath.ts';
import { proxmox } from '../import/proxmox.ts';
import { pskc } from '../import/pskc.ts';
import type { AskKey } from '../import/pskc-cipher.ts';
import { type ImportOptions, runImport } from '../import/run.ts';
import { u2f } from '../import/u2f.ts';
import { yubico } from '../import/yubico.ts';
import { type Context, needed } from '../lib/context.ts';
import { wholeNumber } from '../lib/option-values.ts';

interface Common {
  readonly user?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}
interface GoogleOptions extends Common {
  readonly byName?: boolean;
}
interface OathOptions extends Common {
  readonly window: number;
}
interface KeyOptions extends Common {
  readonly appId: string;
}
interface ProxmoxOptions extends Common {
  readonly realm: string;
  readonly rpId?: string;
  readonly appId?: string;
}

/** Steps that pam_oath may have looked ahead: more than any guide recommends. */
const oathWindow = 20;

type Run = (options: Common, one: Omit<ImportOptions, 'user' | 'dryRun' | 'json'>) => Promise<void>;

export function addImport(program: Command, context: Context): void {
  const group = program.command('import').description('Import accounts and used-code state (root only)');
  const run: Run = (options, one) =>
    runImport(context, {
      ...one,
      user: options.user,
      dryRun: options.dryRun === true,
      json: options.json === true,
    });
  addGoogleAuthenticator(group, run);
  addOath(group, run);
  addYubico(group, run);
  addU2f(group, run);
  addProxmox(group, run);
  addCsv(group, run);
  addPskc(group, run, context);
}

function addGoogleAuthenticator(group: Command, run: Run): void {
  common(
    group,
    'google-authenticator',
    'Import google-authenticator files, or home directories that contain one',
    'Account of the file (default: its owner)',
  )
    .option('--by-name', 'Take the account from the file name, as with secret=/…/$USER')
    .action((paths: readonly string[], options: GoogleOptions) =>
      run(options, {
        source: 'google-authenticator',
        paths,
        inHome: '.google_authenticator',
        secret: true,
        parse: googleAuthenticator(options),
      }),
    );
}

function addOath(group: Command, run: Run): void {
  common(group, 'oath', 'Import users.oath of pam_oath', 'Only this account')
    .option('--window <steps>', 'Value of window= of pam_oath', wholeNumber(0, 1_000), oathWindow)
    .action((paths: readonly string[], options: OathOptions) =>
      run(options, { source: 'oath', paths, parse: oath(options) }),
    );
}

function addYubico(group: Command, run: Run): void {
  common(
    group,
    'yubico',
    'Import authorized_yubikeys of pam_yubico, or home directories that contain one',
    'Only this account',
  ).action((paths: readonly string[], options: Common) =>
    run(options, {
      source: 'yubico',
      paths,
      inHome: '.yubico/authorized_yubikeys',
      parse: yubico(options.user),
    }),
  );
}

function addU2f(group: Command, run: Run): void {
  common(
    group,
    'u2f',
    'Import u2f_keys of pam_u2f, or home directories that contain one',
    'Only this account',
  )
    .addOption(new Option('--app-id <origin>', 'Value of origin= of pam_u2f').default(`pam://${hostname()}`))
    .action((paths: readonly string[], options: KeyOptions) =>
      run(options, { source: 'u2f', paths, inHome: '.config/Yubico/u2f_keys', parse: u2f(options) }),
    );
}

function addProxmox(group: Command, run: Run): void {
  common(group, 'proxmox', 'Import tfa.cfg of Proxmox VE, or tfa.json of Backup Server', 'Only this account')
    .option('--realm <name>', 'Proxmox realm whose users are the accounts of this machine', 'pam')
    .option('--rp-id <domain>', 'Relying party of WebAuthn keys: id of webauthn in datacenter.cfg')
    .option('--app-id <url>', 'AppID of U2F keys: appid of u2f in datacenter.cfg')
    .action((paths: readonly string[], options: ProxmoxOptions) =>
      run(options, { source: 'proxmox', paths, parse: proxmox(options) }),
    );
}

function addCsv(group: Command, run: Run): void {
  common(
    group,
    'csv',
    'Import CSV (ours, OATH CSV of privacyIDEA and LinOTP, logs of Yubico’s tools) or otpauth:// URIs, one per line',
    'Account of lines that name none; otherwise only this account',
  ).action((paths: readonly string[], options: Common) =>
    run(options, { source: 'csv', paths, parse: csv(options.user) }),
  );
}

function addPskc(group: Command, run: Run, context: Context): void {
  common(
    group,
    'pskc',
    'Import PSKC (RFC 6030); asks for the key or password of an encrypted file',
    'Account of keys that name none; otherwise only this account',
  ).action((paths: readonly string[], options: Common) =>
    run(options, {
      source: 'pskc',
      paths,
      parse: pskc({ ...options, ask: asker(context), now: context.world.now() }),
    }),
  );
}

function common(group: Command, format: string, what: string, user: string): Command {
  return group
    .command(`${format} <path...>`)
    .description(what)
    .option('--user <user>', user)
    .option('--dry-run', 'List what would be imported, and change nothing')
    .option('--json', 'Print JSON, one object per account, and one with the counts');
}

/** Asks once, although the file is read twice. */
function asker({ prompt }: Context): AskKey {
  const known = new Map<string, string>();
  return async (what) => {
    const before = known.get(what);
    if (before !== undefined) return before;
    const form = what === 'password' ? '' : ' (hex)';
    const typed = needed(
      await prompt.askSecret(`${what.charAt(0).toUpperCase()}${what.slice(1)} of the file${form}: `),
      `the file is encrypted; pipe in its ${what} on standard input`,
    );
    known.set(what, typed);
    return typed;
  };
}
