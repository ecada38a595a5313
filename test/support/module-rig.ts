import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type DriverEvent, decodeLine, type ModuleEvent } from './driver-events.ts';
import { type FakeDaemon, type Script, startFakeDaemon } from './fake-daemon.ts';
import { compileModule, compileSources, nativeTests, shippedModule, type Variant } from './native.ts';

export interface Outcome {
  /** What the entry point of the module itself returned. */
  readonly code: number;
  readonly module: ModuleEvent;
  readonly modules: readonly ModuleEvent[];
  /** What libpam made of it. */
  readonly pamCode: number | undefined;
  readonly messages: readonly { readonly style: number; readonly text: string }[];
  readonly logs: readonly string[];
}

export interface LoginOptions {
  /** Options of the module beside socket=. */
  readonly options?: readonly string[];
  /** Instead of socket= of this place and `options`. */
  readonly rawOptions?: readonly string[];
  /** Words of driver.c. */
  readonly words?: readonly string[];
  /** Words of probe.c. */
  readonly probe?: readonly string[];
  readonly service?: string;
  readonly user?: string;
  readonly uid?: number;
  /** Words of on_terminal.c: the driver gets a terminal of its own. */
  readonly terminal?: readonly string[];
}

export interface RunningLogin {
  readonly child: ChildProcess;
  /** Resolves when the module has shown a message. */
  shown(): Promise<void>;
  /** Everything that was reported so far. */
  readonly events: readonly DriverEvent[];
  /** Resolves once `found` is true of the events; rejects when the driver ends before. */
  until(found: (events: readonly DriverEvent[]) => boolean): Promise<void>;
  readonly outcome: Promise<Outcome>;
}

/** Words of test/native/listener.c. */
export interface Misbehaviour {
  readonly backlog?: number;
  readonly reply?: Buffer;
  readonly delay?: number;
  readonly uid?: number;
  readonly socket?: string;
}

/** A private directory for one login: a service file, a socket path, a listener. */
export interface Place {
  readonly directory: string;
  readonly socket: string;
  readonly userSocket: string;
  listen(script: Script, socket?: string): Promise<FakeDaemon>;
  /** test/native/listener.c; resolves when it listens. */
  misbehave(options: Misbehaviour): Promise<ChildProcess>;
  start(options?: LoginOptions): RunningLogin;
  login(options?: LoginOptions): Promise<Outcome>;
  /** Runs the driver on a service file of the test's own making; resolves to what it reported. */
  drive(service: string, ...words: readonly string[]): Promise<string>;
}

/** "FD:what it leads to" of a running process. */
export function openFiles(pid: number | undefined): string[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).map((fd) => `${fd}:${readlinkSync(path.join(directory, fd))}`);
}

/** The bytes of `text` for the driver's answer=. */
export function answer(text: string): string {
  return `answer=${Buffer.from(text).toString('hex')}`;
}

const silentLibpam = ['auth', 'account', 'session', 'password'].map((kind) => `${kind} required pam_deny.so`);

/**
 * Compiles the driver, the probe, the listener and the module; each place below it is one login. A login that
 * leaves a file open, or that the sanitizers complain about, rejects.
 */
export class ModuleRig {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'sallyport-module-'));
  readonly #children = new Set<ChildProcess>();
  readonly #daemons = new Set<FakeDaemon>();
  module = '';
  #places = 0;

  /** `shipped`: the built module, else one of its own making. */
  async build(variant: 'shipped' | Variant = 'shipped'): Promise<void> {
    chmodSync(this.directory, 0o755);
    const source = (name: string) => [path.join(nativeTests, name)];
    const output = (name: string) => path.join(this.directory, name);
    const sanitized = variant === 'asan' ? 'asan' : 'plain';
    const noDlclose = variant === 'asan' ? source('keep_loaded.c') : [];
    this.module = output('pam_sallyport.so');
    const flags = ['-fvisibility=default', '-rdynamic', '-lpam', '-ldl'];
    const driver = [...source('driver.c'), ...noDlclose];
    await Promise.all([
      compileSources({ output: output('driver'), sources: driver, variant: sanitized, flags }),
      compileSources({ output: output('listener'), sources: source('listener.c') }),
      compileSources({
        output: output('on_terminal'),
        sources: source('on_terminal.c'),
        flags: ['-lutil'],
      }),
      compileSources({
        output: output('probe.so'),
        sources: source('probe.c'),
        flags: ['-fvisibility=default', '-fPIC', '-shared', '-lpam'],
      }),
      variant === 'shipped'
        ? shippedModule(this.directory).then(
            (built) => built === this.module || copyFileSync(built, this.module),
          )
        : compileModule(this.directory, variant),
    ]);
  }

  place(): Place {
    const directory = path.join(this.directory, String(this.#places++));
    mkdirSync(directory);
    chmodSync(directory, 0o777);
    const socket = path.join(directory, 'pam.sock');
    const start = (options: LoginOptions = {}) => this.#start(directory, socket, options);
    return {
      directory,
      socket,
      userSocket: path.join(directory, 'pam-user.sock'),
      listen: async (script, at = socket) => {
        const daemon = await startFakeDaemon(at, script);
        this.#daemons.add(daemon);
        return daemon;
      },
      misbehave: ({ backlog = 16, reply, delay, uid, socket: at = socket }) => {
        const words = [path.join(this.directory, 'listener'), at, String(backlog)];
        if (reply !== undefined) words.push(reply.toString('hex'), String(delay ?? 0));
        const child = this.#spawn(words, uid);
        return new Promise((resolve, reject) => {
          child.stdout?.once('data', () => resolve(child));
          child.once('exit', () => reject(new Error('the listener ended before it listened')));
        });
      },
      start,
      drive: (service, ...words) =>
        this.#drive([path.join(this.directory, 'driver'), directory, service, 'alice', ...words]),
      login: (options) => start(options).outcome,
    };
  }

  /** Ends what still runs and removes the directory; throws what a script of a daemon threw. */
  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    const stopped = await Promise.allSettled([...this.#daemons].map((daemon) => daemon.stop()));
    rmSync(this.directory, { recursive: true, force: true });
    for (const result of stopped) if (result.status === 'rejected') throw result.reason;
  }

  #spawn(words: readonly string[], uid: number | undefined): ChildProcess {
    const id = String(uid);
    const as = uid === undefined ? [] : ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups'];
    const [command = '', ...args] = [...as, ...words];
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        // As login programs are linked: else the loader saves registers, and what was typed in them, on the stack.
        LD_BIND_NOW: '1',
        ASAN_OPTIONS: 'detect_leaks=1',
        UBSAN_OPTIONS: 'print_stacktrace=1',
      },
    });
    child.stdin?.on('error', () => {});
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  async #drive(words: readonly string[]): Promise<string> {
    const child = this.#spawn(words, undefined);
    const ended = new Promise((resolve) => child.once('close', resolve));
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += String(chunk);
    });
    await ended;
    return text;
  }

  #start(directory: string, socket: string, options: LoginOptions): RunningLogin {
    const { service = 'test', user = 'alice', words = [], probe = [] } = options;
    const moduleWords = [
      ...probe,
      this.module,
      ...(options.rawOptions ?? [`socket=${socket}`, ...(options.options ?? [])]),
    ];
    const line = [path.join(this.directory, 'probe.so'), ...moduleWords.map((word) => `[${word}]`)].join(' ');
    const kinds = ['auth', 'account', 'session', 'password'].map((kind) => `${kind} required ${line}`);
    writeFileSync(path.join(directory, service), `${kinds.join('\n')}\n`);
    writeFileSync(path.join(directory, 'other'), `${silentLibpam.join('\n')}\n`);
    const terminal =
      options.terminal === undefined
        ? []
        : [path.join(this.directory, 'on_terminal'), ...options.terminal, '--'];
    const child = this.#spawn(
      [...terminal, path.join(this.directory, 'driver'), directory, service, user, ...words],
      options.uid,
    );
    const events: DriverEvent[] = [];
    const changes = new EventEmitter();
    let closed = false;
    const until = async (found: (events: readonly DriverEvent[]) => boolean) => {
      while (!found(events)) {
        if (closed) throw new Error(`in vain: ${JSON.stringify(events)}`);
        await once(changes, 'change');
      }
    };
    const outcome = new Promise<Outcome>((resolve, reject) => {
      const lines = createInterface({ input: child.stdout ?? process.stdin });
      lines.on('line', (text) => {
        const event = decodeLine(text);
        events.push(event);
        changes.emit('change');
      });
      child.once('close', (status, signal) => {
        closed = true;
        changes.emit('change');
        if (status !== 0)
          reject(new Error(`the driver ended with ${status ?? signal}: ${JSON.stringify(events)}`));
        else resolve(new Promise((done) => done(outcomeOf(events))));
      });
    });
    const shown = () => until(() => events.some(({ event }) => event === 'message'));
    return { child, shown, events, until, outcome };
  }
}

function outcomeOf(events: readonly DriverEvent[]): Outcome {
  const modules = events.filter((event) => event.event === 'module');
  const module = modules.at(-1);
  if (module === undefined) throw new Error(`the module was not called: ${JSON.stringify(events)}`);
  if (modules.some(({ files }) => files[0] !== files[1])) throw new Error('the module left a file open');
  const logs = events.filter((event) => event.event === 'log').map(({ text }) => text);
  const end = events.find((event) => event.event === 'end');
  return {
    code: module.code,
    module,
    modules,
    pamCode: end?.code,
    messages: events.filter((event) => event.event === 'message'),
    logs,
  };
}
