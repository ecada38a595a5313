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

/** How many steps pam_oath may have looked ahead: more than any guide says. */
const oathWindow = 20;

export function addImport(program: Command, context: Context): void {
  const group = program
    .command('import')
    .description('take accounts over from another system, with what is spent of their factors; root alone');
  const run = (options: Common, one: Omit<ImportOptions, 'user' | 'dryRun' | 'json'>) =>
    runImport(context, {
      ...one,
      user: options.user,
      dryRun: options.dryRun === true,
      json: options.json === true,
    });

  common(
    group,
    'google-authenticator',
    'files of google-authenticator, or homes that hold one',
    'whose file it is; by default its owner’s',
  )
    .option('--by-name', 'files are called as their accounts, as with secret=/…/$USER')
    .action((paths: readonly string[], options: GoogleOptions) =>
      run(options, {
        source: 'google-authenticator',
        paths,
        inHome: '.google_authenticator',
        secret: true,
        parse: googleAuthenticator(options),
      }),
    );
  common(group, 'oath', 'users.oath of pam_oath', 'this account alone')
    .option('--window <steps>', 'what pam_oath was told in window=', wholeNumber(0, 1_000), oathWindow)
    .action((paths: readonly string[], options: OathOptions) =>
      run(options, { source: 'oath', paths, parse: oath(options) }),
    );
  common(
    group,
    'yubico',
    'authorized_yubikeys of pam_yubico, or homes that hold one',
    'this account alone',
  ).action((paths: readonly string[], options: Common) =>
    run(options, {
      source: 'yubico',
      paths,
      inHome: '.yubico/authorized_yubikeys',
      parse: yubico(options.user),
    }),
  );
  common(group, 'u2f', 'u2f_keys of pam_u2f, or homes that hold one', 'this account alone')
    .addOption(
      new Option('--app-id <origin>', 'what pam_u2f was told in origin=').default(`pam://${hostname()}`),
    )
    .action((paths: readonly string[], options: KeyOptions) =>
      run(options, { source: 'u2f', paths, inHome: '.config/Yubico/u2f_keys', parse: u2f(options) }),
    );
  common(group, 'proxmox', 'tfa.cfg of Proxmox VE, tfa.json of Backup Server', 'this account alone')
    .option('--realm <name>', 'the realm there whose users are the accounts here', 'pam')
    .option('--rp-id <domain>', 'whom WebAuthn keys were made for: id of webauthn in datacenter.cfg')
    .option('--app-id <url>', 'whom U2F keys were made for: appid of u2f in datacenter.cfg')
    .action((paths: readonly string[], options: ProxmoxOptions) =>
      run(options, { source: 'proxmox', paths, parse: proxmox(options) }),
    );
  common(
    group,
    'csv',
    'CSV: our own, OATH CSV of privacyIDEA and LinOTP, the logs of Yubico’s tools; otpauth:// URIs, one a line',
    'whose factors they are, where a line names nobody; else this account alone',
  ).action((paths: readonly string[], options: Common) =>
    run(options, { source: 'csv', paths, parse: csv(options.user) }),
  );
  common(
    group,
    'pskc',
    'PSKC (RFC 6030); the key or password of an encrypted one is asked for',
    'whose factors they are, where a key names nobody; else this account alone',
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
    .option('--dry-run', 'say what would come over, account by account, and change nothing')
    .option('--json', 'as JSON, one object an account, and one with the counts');
}

/** Asks once: all is read twice. */
function asker({ prompt }: Context): AskKey {
  const known = new Map<string, string>();
  return async (what) => {
    const before = known.get(what);
    if (before !== undefined) return before;
    const form = what === 'password' ? '' : ' (hex)';
    const typed = needed(
      await prompt.askSecret(`${what.charAt(0).toUpperCase()}${what.slice(1)} of the file${form}: `),
      `the file is encrypted, and there is no ${what} on standard input; pipe it in`,
    );
    known.set(what, typed);
    return typed;
  };
}
