import type { Config } from './contract.ts';
import { defaultAdminGroup, type HelperPrograms, rootedPaths, systemPaths } from './defaults.ts';

/**
 * The configuration that `init` writes: one realm for all accounts that requires nothing.
 * @param root absolute; everything lies below it. Undefined: the usual system paths
 * @param helpers with a root: what is started as a child, where there is no service manager
 */
export function initialConfig(root?: string, helpers: HelperPrograms = {}): string {
  const paths = root === undefined ? systemSection : rootedSection(root, helpers);
  const text = `${head}\n${single}\n${paths}\n${rest}`;
  return root === undefined ? text.replaceAll(/\b(?:docs|pam-config)\/[\w.-]+/g, installed) : text;
}

/** Where the package puts a page or the sample. */
function installed(path: string): string {
  return path.startsWith('docs/') ? `/usr/share/doc/sallyport/${path}` : `/usr/lib/sallyport/${path}`;
}

const head = `# Sallyport. Every setting is described in docs/reference/configuration.md; a complete sample is pam-config/sallyport.toml.sample.
# After a change: \`sallyport realm check\`, then \`sallyport reload\`.
`;

/** TOML takes a line below a table's name for one of that table, so these come before all tables. */
const single = `# Members of this group may administer; while the group does not exist, only root may.
# admin_group = "${defaultAdminGroup}"

# What authenticator apps show above the code; by default the name of this host.
# issuer = "example.org"
`;

const systemSection = `# These are the defaults of [paths].
# [paths]
${pathLines(systemPaths, '# ')}
`;

function rootedSection(root: string, helpers: HelperPrograms): string {
  return `[paths]
${pathLines(rootedPaths(root, helpers), '')}
`;
}

const rest = `# The domain that security keys are bound to, shared by the portal and all hosts. Changing it later makes every key
# unusable (docs/reference/factors.md).
# [webauthn]
# rp_id = "login.example.org"

# The portal (docs/how-to/set-up-portal.md). Its origins are rp_id or hosts below it.
# [portal]
# origins   = ["https://login.example.org"]
# cert_file = "/etc/sallyport/portal.crt"
# key_file  = "/etc/sallyport/portal.key"

# [audit]
# max_age    = "400d"
# max_events = 1000000
# max_bytes  = "1G"

# Realms are tried in this order; the first that an account is a member of decides.
# The last has no members line and takes all other accounts.
[[realm]]
name    = "default"
require = "none"      # accounts with a factor are asked for it, all others need none
`;

function pathLines(paths: Config['paths'], before: string): string {
  const pairs: readonly (readonly [string, string | undefined])[] = [
    ['store', paths.store],
    ['anchor', paths.anchor],
    ['master_key', paths.masterKey],
    ['last_good', paths.lastGood],
    ['pam_socket', paths.pamSocket],
    ['pam_user_socket', paths.pamUserSocket],
    ['control_socket', paths.controlSocket],
    ['fido_socket', paths.fidoSocket],
    ['fido_helper', paths.fidoHelper],
    ['password_socket', paths.passwordSocket],
    ['password_helper', paths.passwordHelper],
    ['password_service_dir', paths.passwordServiceDir],
  ];
  return pairs
    .flatMap(([key, path]) =>
      path === undefined ? [] : [`${before}${key.padEnd(15)} = ${tomlString(path)}`],
    )
    .join('\n');
}

/** The PAM service below a root directory: only the passwords of this machine. */
export const rootedService = {
  name: 'sallyport-password',
  text: `# Used by sallyport-password for the sallyportd of this directory; see pam-config/pam.d/sallyport-password.
auth     required  pam_unix.so nodelay
account  required  pam_unix.so
`,
};

/** JSON's escapes are TOML's too, except DEL. */
function tomlString(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f');
}
