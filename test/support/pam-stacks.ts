import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { returnNames } from '../../cli/pam/control.ts';
import { type PamFiles, pamFiles } from '../../cli/pam/files.ts';
import { readStack, type Stack } from '../../cli/pam/read.ts';
import { outcomes } from '../../cli/pam/simulate-stack.ts';
import { projectRoot } from './project.ts';

/** Stacks in a directory of their own, read by this program and by libpam itself. */
export class Stacks {
  readonly directory = mkdtempSync(join(tmpdir(), 'sallyport-pam-'));
  readonly files: PamFiles = pamFiles([this.directory]);
  readonly #application = join(this.directory, '.pam_app');

  constructor() {
    after(() => rmSync(this.directory, { recursive: true }));
    const source = join(projectRoot, 'test/native/pam_app.c');
    const compiled = spawnSync('cc', ['-o', this.#application, source, '-lpam'], { encoding: 'utf8' });
    if (compiled.status !== 0) throw new Error(compiled.stderr);
  }

  /** "@/NAME" stands for a file of the directory: with a directory of one's own libpam finds includes by path alone. */
  write(name: string, text: string): void {
    writeFileSync(join(this.directory, name), text.replaceAll('@/', `${this.directory}/`), 'latin1');
  }

  stack(service: string): Stack {
    return readStack(this.files, service, 'auth');
  }

  /** What libpam answers; undefined: it does not even begin, or falls over ("auth include" of nothing). */
  libpam(service: string): string | undefined {
    const argv = ['--confdir', this.directory, service, 'nobody'];
    const run = spawnSync(this.#application, argv, { encoding: 'utf8' });
    if (run.status === 101 || run.signal === 'SIGSEGV') return undefined;
    const code = /^authenticate (\d+)/m.exec(run.stdout)?.[1];
    if (code === undefined) throw new Error(`status ${run.status}: ${run.stdout}${run.stderr}`);
    return returnNames[Number(code)];
  }

  /** What this program says that libpam answers. */
  reported(service: string): string | undefined {
    const stack = this.stack(service);
    if (stack.fatal !== undefined) return undefined;
    if (stack.entries.length === 0) return 'perm_denied';
    const [only, ...others] = outcomes(stack.entries, (line) => [answerOf(line.module, line.options)]);
    if (only === undefined || others.length > 0) throw new Error('not one outcome');
    return only.status;
  }
}

function answerOf(module: string, options: readonly string[]): string {
  if (module === 'pam_permit.so') return 'success';
  if (module === 'pam_deny.so') return 'auth_err';
  if (module !== 'pam_debug.so') return 'module_unknown';
  return options.find((option) => option.startsWith('auth='))?.slice(5) ?? 'success';
}

/** The lines of root's way in, as the stack of login and the profile of pam-auth-update had them before 2026-12. */
export const olderWayIn = `auth [success=1 default=ignore] pam_succeed_if.so quiet uid = 0 rhost !~ ?* tty in tty1:ttyS0:/dev/ttyS0
auth [default=1] pam_permit.so
auth [success=1 ignore=1 authinfo_unavail=1 default=die] pam_sallyport.so first_factor=passed timeout=50
auth requisite pam_sallyport.so first_factor=passed timeout=50
`;

/** Files in memory, as if they lay in /etc/pam.d. */
export function memoryFiles(texts: Readonly<Record<string, string>>): PamFiles {
  const names = Object.keys(texts).filter((name) => !name.startsWith('/'));
  return {
    names: () => names.toSorted(),
    read(name) {
      const path = name.startsWith('/') ? name : `/etc/pam.d/${name}`;
      const text = texts[name] ?? texts[path.replace(/^\/etc\/pam\.d\//, '')];
      return text === undefined ? undefined : { path, text };
    },
  };
}

/** The files of a distribution, as it installs them. */
export function distribution(name: string): Readonly<Record<string, string>> {
  const directory = join(projectRoot, 'test/vectors/pam', name);
  return Object.fromEntries(
    readdirSync(directory).map((file) => [file, readFileSync(join(directory, file), 'latin1')]),
  );
}
