import type { DriverEvent } from './driver-events.ts';
import type { LoginOptions, Outcome, Place, RunningLogin } from './module-rig.ts';

type Of<Kind extends DriverEvent['event']> = Extract<DriverEvent, { event: Kind }>;

function ofKind<Kind extends DriverEvent['event']>(
  events: readonly DriverEvent[],
  kind: Kind,
): readonly Of<Kind>[] {
  return events.filter((event): event is Of<Kind> => event.event === kind);
}

/** One login on a terminal of its own, with a hand at the keyboard and an eye on the settings. */
export class TerminalLogin {
  readonly #running: RunningLogin;

  /** PAM_TTY is that terminal, unless `words` say otherwise. */
  constructor(place: Place, options: LoginOptions = {}) {
    const words = options.words ?? [];
    const named = words.some((word) => word.startsWith('tty=')) ? words : ['tty=@', ...words];
    this.#running = place.start({ terminal: [], ...options, words: named });
  }

  get outcome(): Promise<Outcome> {
    return this.#running.outcome;
  }

  /** All that stood on the terminal so far. */
  get screen(): string {
    return ofKind(this.#running.events, 'screen')
      .map(({ text }) => text)
      .join('');
  }

  async sees(pattern: RegExp, count = 1): Promise<void> {
    const all = new RegExp(pattern, 'g');
    await this.#running.until(() => [...this.screen.matchAll(all)].length >= count);
  }

  press(keys: string): void {
    this.#command(`type ${Buffer.from(keys).toString('hex')}`);
  }

  signal(number: number): void {
    this.#command(`signal ${number}`);
  }

  foreground(): void {
    this.#command('foreground');
  }

  hangUp(): void {
    this.#command('hangup');
  }

  async state(): Promise<Of<'state'>> {
    const before = ofKind(this.#running.events, 'state').length;
    this.#command('state');
    return this.#nth('state', before);
  }

  stopped(count = 1): Promise<Of<'stopped'>> {
    return this.#nth('stopped', count - 1);
  }

  /** How the terminal was left. */
  ended(): Promise<Of<'ended'>> {
    return this.#nth('ended', 0);
  }

  #command(line: string): void {
    this.#running.child.stdin?.write(`${line}\n`);
  }

  async #nth<Kind extends DriverEvent['event']>(kind: Kind, index: number): Promise<Of<Kind>> {
    await this.#running.until((events) => ofKind(events, kind).length > index);
    const found = ofKind(this.#running.events, kind)[index];
    if (found === undefined) throw new Error(`no ${kind}`);
    return found;
  }
}
