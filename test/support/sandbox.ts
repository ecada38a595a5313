import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { type ControlClient, createClient } from '../../daemon/client/client.ts';
import { base32 } from './codes.ts';
import { type Finished, run, someoneListens, until } from './rig/commands.ts';
import { cliMain, daemonMain } from './rig/layout.ts';

/** sallyportd and sallyport of this build below a directory of one's own, as real processes. */
export class Own {
  readonly root: string;
  readonly passphraseFile: string;
  readonly identityFile: string;
  /** A public key of age. */
  recipient = '';
  #daemon: ChildProcess | undefined;

  private constructor(root: string) {
    this.root = root;
    this.passphraseFile = join(root, 'passphrase');
    this.identityFile = join(root, 'identity');
  }

  static async init(root = join(mkdtempSync(join(tmpdir(), 'sallyport-own-')), 's')): Promise<Own> {
    const own = new Own(root);
    const laid = await run(process.execPath, [cliMain, 'init', '--root', root]);
    assert.equal(laid.status, 0, laid.stderr);
    writeFileSync(own.passphraseFile, 'correct horse battery\n', { mode: 0o600 });
    const identity = await generateX25519Identity();
    writeFileSync(own.identityFile, `${identity}\n`, { mode: 0o600 });
    own.recipient = await identityToRecipient(identity);
    return own;
  }

  get config(): string {
    return join(this.root, 'etc/sallyport.toml');
  }

  get keyFile(): string {
    return join(this.root, 'etc/master.key');
  }

  get store(): string {
    return join(this.root, 'var/store');
  }

  command(words: readonly string[]): string[] {
    return [cliMain, '--config', this.config, ...words];
  }

  cli(words: readonly string[], input = ''): Promise<Finished> {
    return run(process.execPath, this.command(words), { input });
  }

  /** @returns what it wrote to standard output */
  async must(words: readonly string[], input = ''): Promise<string> {
    const done = await this.cli(words, input);
    assert.equal(done.status, 0, `sallyport ${words.join(' ')}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  /** With the passphrase of this directory, which takes a second each time. */
  withPassphrase(...words: readonly string[]): readonly string[] {
    return [...words, '--passphrase-file', this.passphraseFile];
  }

  /** A backup, to the public key of this directory. */
  backup(file: string, ...words: readonly string[]): readonly string[] {
    return ['backup', file, '--recipient', this.recipient, ...words];
  }

  /** What opens one, with the private key of this directory. */
  opening(...words: readonly string[]): readonly string[] {
    return [...words, '--identity', this.identityFile];
  }

  start(): Promise<ControlClient> {
    return this.#start({});
  }

  /** With a clock of its own: "+1d". */
  startAt(offset: string): Promise<ControlClient> {
    return this.#start({
      LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
      FAKETIME: offset,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    });
  }

  /** How long a file the daemon may write: a cheap full disk. */
  async limitFiles(bytes: string): Promise<void> {
    const set = await run('prlimit', ['--pid', String(this.#daemon?.pid), `--fsize=${bytes}:unlimited`]);
    assert.equal(set.status, 0, set.stderr);
  }

  async #start(environment: NodeJS.ProcessEnv): Promise<ControlClient> {
    // Of a test that failed.
    await this.stop();
    const daemon = spawn(process.execPath, [daemonMain, '--config', this.config], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
    });
    let log = '';
    daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    this.#daemon = daemon;
    const socket = join(this.root, 'run/pam.sock');
    await until('sallyportd listens', () => someoneListens(socket) || daemon.exitCode !== null, 60_000);
    assert.equal(daemon.exitCode, null, log);
    return createClient({ socket: join(this.root, 'run/control.sock') });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon === undefined || daemon.exitCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill(signal);
    await ended;
  }

  async addToken(kind: 'totp' | 'hotp', user: string, secret: Buffer): Promise<void> {
    await this.must(['factor', 'add', kind, user, '--secret', '-', '--no-verify'], `${base32(secret)}\n`);
  }

  async addRecovery(user: string): Promise<readonly string[]> {
    return (await this.must(['factor', 'add', 'recovery', user, '--yes'])).trim().split('\n');
  }

  /** "accepted", or why not. */
  async verify(user: string, answer: string): Promise<string> {
    const { stdout } = await this.cli(['verify', user], `${answer}\n`);
    return stdout.startsWith('accepted') ? 'accepted' : (stdout.split(/\s/)[1] ?? stdout);
  }

  /** Every byte of the store, its anchor and its key; LevelDB's own LOG and LOCK hold no records. */
  bytes(): Buffer {
    const names = readdirSync(this.store).filter((name) => !/^LO(?:G|CK)/.test(name));
    const files = [
      join(this.root, 'var/anchor'),
      this.keyFile,
      ...names.sort().map((name) => join(this.store, name)),
    ];
    return Buffer.concat(files.map((file) => readFileSync(file)));
  }

  /** What lies beside the store and is none of it. */
  leftovers(): readonly string[] {
    return readdirSync(join(this.root, 'var')).filter((name) => name.includes('.making-'));
  }

  async remove(): Promise<void> {
    await this.stop();
    if (statSync(this.root, { throwIfNoEntry: false })) rmSync(join(this.root, '..'), { recursive: true });
  }
}
