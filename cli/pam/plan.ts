import { basename, dirname, join } from 'node:path';
import { CliError } from '../lib/errors.ts';
import { checkService, guards, sentence } from './check.ts';
import type { PamFile, PamFiles } from './files.ts';
import { shipped } from './installed.ts';
import type { Finding, IncludeLine, ModuleLine } from './lines.ts';
import { boundToLogin, olderStacks } from './older.ts';
import { readLines, readStack, type Stack, servicesReaching } from './read.ts';
import type { FileChange } from './record.ts';
import { refusals } from './refusals.ts';
import { lostModules, otherSources, passwordLine, replaceLine, swapOf } from './rewrite.ts';
import { dropIns, isService, isTwinOf, knownService } from './services.ts';
import { dropInDirectory } from './sshd.ts';

/** The planned change of `enable`. */
export interface Plan {
  readonly service: string;
  /** Every service that reads the file, the service itself first. */
  readonly services: readonly string[];
  readonly stackName: string;
  /** In writing order: the file that activates the others comes last. */
  readonly files: readonly FileChange[];
  /** As libpam would resolve it after the change. */
  readonly after: PamFiles;
  readonly stack: Stack;
  /** Lines that the service no longer runs. */
  readonly lost: readonly ModuleLine[];
  /** The ready stack that it replaces. */
  readonly from?: string;
  /** The drop-in of sshd, if any. */
  readonly dropIn: string | undefined;
}

const directory = '/etc/pam.d';

/** @param stackName a file of pam-config/pam.d. @throws CliError refused, usage */
export function planEnable(files: PamFiles, service: string, stackName: string): Plan {
  const stack = readStack(files, service, 'auth');
  const file = files.read(service);
  if (!isService(service)) throw new CliError('refused', sharedFile(files, service));
  if (file === undefined)
    throw new CliError(
      'refused',
      `${directory}/${service} not found, so libpam uses "other"; create it first, from the file of a similar service`,
    );
  const [broken] = refusals(files, service);
  if (broken !== undefined)
    throw new CliError(
      'refused',
      `nothing was changed: ${service} is already broken: ${sentence(broken)}; correct that first`,
    );
  const guarded = guards(stack);
  const older = guarded ? olderStacks(files, service) : [];
  // A service protected incorrectly through a shared file gets a separate stack.
  const isSound = guarded && errorsOf(overlaid(files, older), service).length === 0;
  const stacks =
    isSound && fits(files, service, stackName) ? older : pamChanges(files, file, stack, stackName);
  const changes = [...(service === 'sshd' ? dropInChange(files, stackName) : []), ...stacks];
  const after = overlaid(files, changes);
  const faults = errorsOf(after, service);
  if (faults.length > 0)
    throw new CliError(
      'refused',
      ['nothing was changed: the stack would be incorrect:', ...faults.map(sentence)].join('\n'),
    );
  const path = join(directory, service);
  const others = servicesReaching(files, file.path).filter((name) => name !== service && isService(name));
  const replaced = passwordLine(stack);
  const now = readStack(after, service, 'auth');
  return {
    service,
    services: [service, ...others],
    stackName,
    files: changes.filter(({ before, after: text }) => before !== text),
    after,
    stack: now,
    lost:
      changes.some((change) => change.path === path) && replaced.kind === 'found'
        ? lostModules(replaced.includes, now)
        : [],
    dropIn: service === 'sshd' ? dropIns[stackName] : undefined,
  };
}

function errorsOf(files: PamFiles, service: string): readonly Finding[] {
  return checkService(files, service).filter(({ level }) => level === 'error');
}

function pamChanges(
  files: PamFiles,
  file: { readonly path: string; readonly text: string },
  stack: Stack,
  stackName: string,
): readonly FileChange[] {
  const { service } = stack;
  const found = passwordLine(stack);
  if (found.kind === 'unclear')
    throw new CliError(
      'refused',
      `cannot change ${file.path}: ${found.why}; add the lines of ${stackName} by hand ` +
        `(docs/reference/pam-stacks.md), then check: sallyport pam show ${service}`,
    );
  const { line } = found;
  if (isTwinOf(service, line.target))
    throw new CliError(
      'refused',
      `${file.path} includes the stack of ${line.target}; change that one, which also applies to ${service}: ` +
        `sallyport pam enable ${line.target}`,
    );
  const swap = swapOf(file.text, line, stackName);
  // Files of the distribution in /usr/lib are not edited: a file in /etc overrides them.
  const own = join(directory, service);
  const changed: FileChange = {
    path: own,
    before: own === file.path ? file.text : undefined,
    after: replaceLine(file.text, line, swap.ours),
    swap,
  };
  const path = join(directory, stackName);
  const there = files.read(path)?.text;
  const text =
    there === undefined ? stackText(stackName, line, found.includes, service) : boundToLogin(there, path);
  return [{ path, before: there, after: text }, changed];
}

/**
 * The ready stack. It uses only pam_unix: if passwords also come from elsewhere, the previous line replaces that
 * module, and the check of the stack verifies that a wrong password ends the login.
 */
function stackText(
  name: string,
  line: IncludeLine,
  includes: readonly ModuleLine[],
  service: string,
): string {
  const text = shipped(`pam.d/${name}`);
  const sources = otherSources(includes);
  const password = /^auth\s+requisite\s+pam_unix\.so$/m;
  if (sources.length === 0 || name === 'sallyport-sshd-key') return text;
  if (password.test(text)) return text.replace(password, () => line.text);
  throw new CliError(
    'refused',
    `${service} also accepts passwords from ${sources.join(', ')}, which ${name} does not ask; write its stack by hand ` +
      '(docs/reference/pam-stacks.md)',
  );
}

/** Whether a stack that already asks for the factor matches the request: a shared file asks for the password. */
function fits(files: PamFiles, service: string, stackName: string): boolean {
  if (service !== 'sshd') return true;
  const includesIt = readLines(files, service).some(
    (line) => line.kind === 'include' && line.target === stackName,
  );
  return includesIt || stackName === 'sallyport-sshd';
}

function dropInChange(files: PamFiles, stackName: string): readonly FileChange[] {
  const name = dropIns[stackName];
  if (name === undefined)
    throw new CliError('usage', `sshd requires one of: --with key, --with password, --with one-prompt`);
  const byHand = join(dropInDirectory, name);
  // sshd uses the first value that it reads, so our file sorts first: cloud images have a 50-cloud-init.conf.
  const path = files.read(byHand) === undefined ? join(dropInDirectory, `00-${name}`) : byHand;
  const before = files.read(path)?.text;
  const others = Object.values(dropIns).filter((one) => one !== name);
  return [
    { path, before, after: before ?? shipped(`sshd_config.d/${name}`) },
    ...dropInsThere(files, others).map((file) => ({ path: file.path, before: file.text, after: undefined })),
  ];
}

/** @param names of ready drop-ins; each may be installed under a name that sorts first */
export function dropInsThere(files: PamFiles, names: readonly string[]): readonly PamFile[] {
  return names
    .flatMap((name) => [`00-${name}`, name])
    .flatMap((name) => files.read(join(dropInDirectory, name)) ?? []);
}

function sharedFile(files: PamFiles, name: string): string {
  const read = files.read(name);
  if (read === undefined) return `unknown PAM service "${name}"`;
  const reached = servicesReaching(files, read.path).filter(isService).join(', ');
  const managed = /pam-auth-update/.test(read.text)
    ? ' pam-auth-update manages it and would overwrite changes in its block.'
    : '';
  return (
    `${read.path} is shared: a change there applies to ${reached === '' ? 'no service' : reached}.${managed} ` +
    'Change single services instead: sallyport pam enable SERVICE'
  );
}

/** The files after the change. */
export function overlaid(files: PamFiles, changes: readonly FileChange[]): PamFiles {
  const changed = new Map(changes.map(({ path, after }) => [path, after]));
  const added = [...changed].flatMap(([path, after]) =>
    after !== undefined && dirname(path) === directory ? [basename(path)] : [],
  );
  return {
    ...(files.hasModule === undefined ? {} : { hasModule: files.hasModule }),
    names: () => [...new Set([...files.names(), ...added])].sort(),
    read(name) {
      const path = name.startsWith('/') ? name : join(directory, name);
      const text = changed.get(path);
      if (text !== undefined) return { path, text };
      if (!changed.has(path)) return files.read(name);
      // A file removed from /etc no longer overrides the vendor's file.
      return name.startsWith('/') ? undefined : files.read(join('/usr/lib/pam.d', name));
    },
  };
}

/** @param given the option --stack, with or without "sallyport-". @throws CliError usage */
export function stackFor(service: string, given: string | undefined, known: readonly string[]): string {
  if (given !== undefined) {
    const name = given.startsWith('sallyport-') ? given : `sallyport-${given}`;
    if (known.includes(name)) return name;
    const choices = known.map((one) => one.replace('sallyport-', '')).join(', ');
    throw new CliError('usage', `unknown stack "${given}"; choose one of: ${choices}`);
  }
  const found = knownService(service)?.stack;
  if (found !== undefined) return found;
  throw new CliError(
    'usage',
    `there is no ready stack for ${service}; choose one: --stack one-prompt for a program that asks once, ` +
      '--stack sudo for one that can ask twice',
  );
}
