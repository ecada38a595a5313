import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { must, run, until } from './rig/commands.ts';
import { work } from './rig/machine.ts';
import { password } from './rig/people.ts';
import { Terminal } from './rig/terminal.ts';

/** How sshd is set up: two prompts, password and code in one answer, or a key and then a code. */
export const stacks = ['two prompts', 'one prompt', 'key and code'] as const;
export type Stack = (typeof stacks)[number];

export interface Attempt {
  readonly stack: Stack;
  readonly port: number;
  /** The next code of the account. */
  readonly code: () => string;
}

export const user = 'alice';
const directory = `${work}/clients`;
const host = '127.0.0.1';
/** A file in the account's home, and what stands in it. */
export const proof = { name: 'proof.txt', text: 'this is the right machine' } as const;

/** How long a client may take that will never get in: it waits for an answer that does not come. */
const patience = 25_000;

export interface ClientRow {
  /** As docs/reference/clients.md names it. */
  readonly name: string;
  readonly stacks: readonly Stack[];
  /** @returns what it wrote; that of the account's file, or its name, shows that it got in */
  readonly attempt: (attempt: Attempt) => Promise<string>;
}

export function prepareClients(): void {
  must('mkdir', ['-p', directory]);
  // Of the client's key as other programs want it.
  must('puttygen', [`${work}/client-key`, '-O', 'private', '-o', `${directory}/key.ppk`]);
  must('dropbearconvert', ['openssh', 'dropbear', `${work}/client-key`, `${directory}/key.dropbear`]);
  writeFileSync(`${directory}/ssh_config`, sshSettings.map((one) => one.replace('=', ' ')).join('\n'));
  writeFileSync(`${directory}/client.py`, paramiko);
}

const sshSettings = [
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'IdentitiesOnly=yes',
  'IdentityAgent=none',
  'LogLevel=ERROR',
];

function openssh(program: string, { port, stack }: Attempt, rest: readonly string[]): string[] {
  const key = stack === 'key and code' ? ['-i', `${work}/client-key`] : ['-o', 'PubkeyAuthentication=no'];
  const portOption = program === 'ssh' ? '-p' : '-P';
  return [program, '-F', `${directory}/ssh_config`, ...key, portOption, String(port), ...rest];
}

/** What a person types at a terminal, prompt by prompt. */
async function answers(terminal: Terminal, { stack, code }: Attempt): Promise<void> {
  const asksPassword = /assword: ?$/;
  const asksCode = /ode: ?$/;
  if (stack === 'two prompts') {
    await terminal.answer(asksPassword, password);
    await terminal.answer(asksCode, code());
  }
  if (stack === 'one prompt') await terminal.answer(asksPassword, `${password}${code()}`);
  if (stack === 'key and code') await terminal.answer(asksCode, code());
}

/** The same, up to the account's file on the screen or, where there is none to see, to the end of the program. */
async function typed(argv: readonly string[], attempt: Attempt, shows = true): Promise<string> {
  const terminal = new Terminal(argv);
  try {
    await answers(terminal, attempt);
    if (shows) await terminal.expect(new RegExp(proof.text));
    else await terminal.ended();
    return terminal.transcript;
  } finally {
    await terminal.hangUp();
  }
}

/** Without a terminal, as scripts run it; one that hangs is ended. */
async function scripted(program: string, argv: readonly string[], input = ''): Promise<string> {
  const done = await run('setsid', ['-w', 'timeout', '-k', '2', String(patience / 1000), program, ...argv], {
    input,
    timeout: patience + 10_000,
  });
  return `${done.stdout}${done.stderr}`;
}

const read = ['cat', proof.name];
const secret = ({ stack, code }: Attempt): string =>
  stack === 'one prompt' ? `${password}${code()}` : password;

/** The fingerprint by which PuTTY's tools know the host. */
function fingerprint(): string {
  return must('ssh-keygen', ['-lf', `${work}/host-key.pub`]).split(' ')[1] ?? '';
}

const puttyKey = ({ stack }: Attempt): string[] =>
  stack === 'key and code' ? ['-i', `${directory}/key.ppk`] : [];
const putty = (attempt: Attempt): string[] => [
  ...['-no-antispoof', '-hostkey', fingerprint(), '-P', String(attempt.port), '-l', user],
  ...puttyKey(attempt),
];

const paramiko = `
import sys, paramiko
how, port, answers = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
try:
    if how == "connect":
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect("${host}", port, "${user}", answers[0], look_for_keys=False, allow_agent=False, timeout=20, auth_timeout=20)
        transport = client.get_transport()
    else:
        transport = paramiko.Transport(("${host}", port))
        transport.auth_timeout = 20
        transport.start_client(timeout=20)
        if how == "key":
            key = paramiko.Ed25519Key.from_private_key_file("${work}/client-key")
            transport.auth_publickey("${user}", key)
        left = list(answers)
        transport.auth_interactive("${user}", lambda title, text, fields: [left.pop(0) for field in fields])
    channel = transport.open_session()
    channel.exec_command("cat ${proof.name}")
    print(channel.makefile("r").read().decode())
    transport.close()
except Exception as error:
    print("failed:", error)
`;

function interactiveParamiko({ stack, port, code }: Attempt): Promise<string> {
  const answers = stack === 'two prompts' ? [password, code()] : [code()];
  const how = stack === 'key and code' ? 'key' : 'interactive';
  return scripted('/usr/bin/python3', [`${directory}/client.py`, how, String(port), ...answers]);
}

const ansibleFacts = (port: number, more: string): string =>
  `${host} ansible_port=${port} ansible_user=${user} ansible_ssh_common_args="-F ${directory}/ssh_config ${more}"\n`;

async function ansible(attempt: Attempt, more: string, variables: readonly string[]): Promise<string> {
  const inventory = `${directory}/inventory-${attempt.port}`;
  writeFileSync(inventory, ansibleFacts(attempt.port, more));
  const argv = ['-i', inventory, 'all', '-m', 'raw', '-a', read.join(' '), ...variables];
  return scripted('env', ['ANSIBLE_HOST_KEY_CHECKING=False', `HOME=${directory}`, 'ansible', ...argv]);
}

/** A person opens the connection at a terminal, and keeps it; what comes after goes through it. */
async function throughMaster(attempt: Attempt, work: (path: string) => Promise<string>): Promise<string> {
  const path = `${directory}/master-${attempt.port}`;
  const terminal = new Terminal(openssh('ssh', attempt, ['-M', '-S', path, '-N', `${user}@${host}`]));
  try {
    await answers(terminal, attempt);
    await until('the master connection', () => existsSync(path));
    return await work(path);
  } finally {
    await terminal.hangUp();
  }
}

async function sshfs(attempt: Attempt): Promise<string> {
  const mounted = `${directory}/mounted-${attempt.port}`;
  must('mkdir', ['-p', mounted]);
  const options = [...sshSettings, 'PubkeyAuthentication=no', 'password_stdin', `port=${attempt.port}`];
  const argv = [`${user}@${host}:`, mounted, ...options.flatMap((one) => ['-o', one])];
  const said = await scripted('sshfs', argv, `${secret(attempt)}\n`);
  try {
    return readFileSync(`${mounted}/${proof.name}`, 'utf8');
  } catch {
    return said;
  } finally {
    await run('umount', ['-l', mounted]);
  }
}

const lftpSettings = [
  'set sftp:auto-confirm yes',
  'set net:max-retries 1',
  'set net:timeout 15',
  `set sftp:connect-program "ssh -a -x -F ${directory}/ssh_config -o PubkeyAuthentication=no"`,
].join('; ');
const passwordStacks = ['two prompts', 'one prompt'] as const;

/** Every row of the table in docs/reference/clients.md. */
export const clients: readonly ClientRow[] = [
  {
    name: 'OpenSSH `ssh`',
    stacks,
    attempt: (one) => typed(openssh('ssh', one, [`${user}@${host}`, ...read]), one),
  },
  {
    name: 'OpenSSH `scp`',
    stacks,
    attempt: async (one) => {
      const target = `${directory}/scp-${one.port}`;
      await typed(openssh('scp', one, [`${user}@${host}:${proof.name}`, target]), one, false);
      return readFileSync(target, 'utf8');
    },
  },
  {
    name: 'OpenSSH `sftp`',
    stacks,
    attempt: async (one) => {
      const target = `${directory}/sftp-${one.port}`;
      await typed(openssh('sftp', one, [`${user}@${host}:${proof.name}`, target]), one, false);
      return readFileSync(target, 'utf8');
    },
  },
  {
    name: '`sshpass -p` and `ssh`',
    stacks: passwordStacks,
    attempt: (one) =>
      scripted('sshpass', ['-p', secret(one), ...openssh('ssh', one, [`${user}@${host}`, ...read])]),
  },
  {
    name: 'Dropbear `dbclient`',
    stacks,
    attempt: (one) => {
      const key = one.stack === 'key and code' ? ['-i', `${directory}/key.dropbear`] : [];
      return typed(
        ['dbclient', '-y', '-y', ...key, '-p', String(one.port), `${user}@${host}`, read.join(' ')],
        one,
      );
    },
  },
  {
    name: 'PuTTY `plink`',
    stacks,
    attempt: (one) => typed(['plink', ...putty(one), host, read.join(' ')], one),
  },
  {
    name: 'PuTTY `plink -batch -pw`',
    stacks: passwordStacks,
    attempt: (one) => scripted('plink', ['-batch', '-pw', secret(one), ...putty(one), host, read.join(' ')]),
  },
  {
    name: 'PuTTY `pscp -batch -pw`',
    stacks: passwordStacks,
    attempt: async (one) => {
      const target = `${directory}/pscp-${one.port}`;
      const argv = ['-batch', '-pw', secret(one), ...putty(one), `${user}@${host}:${proof.name}`, target];
      const said = await scripted(
        'pscp',
        argv.filter((each) => each !== '-no-antispoof'),
      );
      return said.includes('100%') ? readFileSync(target, 'utf8') : said;
    },
  },
  {
    name: 'Paramiko `connect(password=…)`',
    stacks: passwordStacks,
    attempt: (one) =>
      scripted('/usr/bin/python3', [`${directory}/client.py`, 'connect', String(one.port), secret(one)]),
  },
  {
    name: 'Paramiko `auth_interactive`',
    stacks: ['two prompts', 'key and code'],
    attempt: interactiveParamiko,
  },
  {
    name: '`lftp sftp://`',
    stacks: passwordStacks,
    attempt: (one) =>
      scripted('lftp', [
        '-c',
        `${lftpSettings}; open -u ${user},${secret(one)} -p ${one.port} sftp://${host}; cat ${proof.name}; quit`,
      ]),
  },
  {
    name: '`curl sftp://`',
    stacks: passwordStacks,
    attempt: (one) =>
      scripted('curl', [
        ...['-sS', '--insecure', '--max-time', '20', '-u', `${user}:${secret(one)}`],
        `sftp://${host}:${one.port}/home/${user}/${proof.name}`,
      ]),
  },
  {
    name: '`sshfs -o password_stdin`',
    stacks: passwordStacks,
    attempt: sshfs,
  },
  {
    name: 'Ansible with a password',
    stacks: passwordStacks,
    attempt: (one) => ansible(one, '-o PubkeyAuthentication=no', ['-e', `ansible_password=${secret(one)}`]),
  },
  {
    name: 'Ansible over a master connection',
    stacks,
    attempt: (one) =>
      throughMaster(one, (path) => ansible(one, '', ['-e', `ansible_ssh_args='-o ControlPath=${path}'`])),
  },
];
