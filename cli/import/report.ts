import type { ImportedFactor } from '../../daemon/api/account-views.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import { isLegacy } from '../factors.ts';
import type { World } from '../lib/environment.ts';
import { noTimes } from '../lib/json-times.ts';
import type { Output } from '../lib/output.ts';
import { keyOf, placeText } from './accounts.ts';
import type { Problem } from './contract.ts';
import type { Answered } from './send.ts';

/** One line of the report; `outcome` is stable. */
interface Line {
  readonly user: string;
  readonly kind: string;
  readonly name: string;
  readonly outcome: ImportedFactor['outcome'] | 'cannot' | 'locked';
  readonly why: string;
}

export interface Report {
  answered(one: Answered): void;
  problem(one: Problem): void;
  /** Progress, only on a terminal. */
  progress(done: number, total: number): void;
  /** Prints the summary. @returns whether every factor was imported or already present */
  end(): boolean;
}

export interface ReportOptions {
  readonly output: Output;
  readonly world: World;
  readonly json: boolean;
  readonly dryRun: boolean;
}

/** Minimum milliseconds between progress updates. */
const drawEvery = 100;

export function createReport(options: ReportOptions): Report {
  return new ImportReport(options);
}

class ImportReport implements Report {
  readonly #output: Output;
  readonly #json: boolean;
  readonly #dryRun: boolean;
  readonly #progress: ProgressLine;
  readonly #counts = { accounts: 0, added: 0, raised: 0, unchanged: 0, refused: 0, legacy: 0, unreadable: 0 };

  constructor({ output, world, json, dryRun }: ReportOptions) {
    this.#output = output;
    this.#json = json;
    this.#dryRun = dryRun;
    this.#progress = new ProgressLine(world);
  }

  answered(one: Answered): void {
    const { found, said } = one;
    this.#counts.accounts += 1;
    const user = said.account ?? found.user ?? keyOf(found);
    if (this.#json) {
      this.#progress.clear();
      const { place, cannot } = found;
      this.#output.jsonLine({ place: placeText(place), user, ...said, cannot }, noTimes);
    }
    for (const { outcome, kind } of said.factors)
      if (outcome === 'added' && isLegacy(kind)) this.#counts.legacy += 1;
    for (const line of linesOf(one, user)) {
      this.#count(line);
      if (!this.#json && !this.#isQuiet(line)) this.#print(line);
    }
  }

  problem({ place, user, why }: Problem): void {
    this.#counts.unreadable += 1;
    this.#progress.clear();
    const at = placeText(place);
    if (this.#json) {
      const whose = user === undefined ? {} : { user };
      this.#output.jsonLine({ place: at, ...whose, outcome: 'unreadable', message: why }, noTimes);
    } else this.#output.error(`${at}: ${user === undefined ? '' : `${user}: `}${why}`);
  }

  progress(done: number, total: number): void {
    this.#progress.draw(done, total);
  }

  end(): boolean {
    this.#progress.clear();
    const { accounts, added, raised, unchanged, refused, unreadable, legacy } = this.#counts;
    if (this.#json) this.#output.jsonLine({ dryRun: this.#dryRun, ...this.#counts }, noTimes);
    const would = this.#dryRun ? ' Dry run: nothing was changed.' : '';
    this.#output.note(
      `${pluralise(accounts, 'account')}: ${pluralise(added, 'factor')} added, ${raised} with a newer last-used counter, ${unchanged} unchanged, ${refused} not imported, ${pluralise(unreadable, 'line or file', 'lines or files')} unreadable.${would}`,
    );
    if (legacy > 0 && !this.#dryRun)
      this.#output.note(
        `${pluralise(legacy, 'factor is legacy', 'factors are legacy')}: ask users to create recovery keys (factor add recovery) and to enrol their keys again (factor add webauthn), then remove the old ones.`,
      );
    return refused === 0 && unreadable === 0;
  }

  #count({ outcome }: Line): void {
    if (outcome === 'refused' || outcome === 'cannot') this.#counts.refused += 1;
    else if (outcome !== 'locked') this.#counts[outcome] += 1;
  }

  /** Only counted: of many accounts, the ones to look at must not be lost in a long list. */
  #isQuiet({ outcome }: Line): boolean {
    return !this.#dryRun && (outcome === 'added' || outcome === 'unchanged' || outcome === 'raised');
  }

  #print({ user, kind, name, outcome, why }: Line): void {
    this.#progress.clear();
    const quoted = name === '' ? '' : ` "${name}"`;
    if (this.#output.terminal)
      this.#output.prose(`${user}  ${kind}${quoted}  ${outcome}${why === '' ? '' : `: ${why}`}`);
    else this.#output.table([], [[user, kind, name, outcome, why]]);
  }
}

/** A bar below the report, which each line of the report overwrites. */
class ProgressLine {
  readonly #world: World;
  readonly #terminal: boolean;
  #drawn = 0;

  constructor(world: World) {
    this.#world = world;
    this.#terminal = world.error.isTTY === true;
  }

  draw(done: number, total: number): void {
    if (!this.#terminal || (this.#world.now() - this.#drawn < drawEvery && done < total)) return;
    this.#drawn = this.#world.now();
    const share = total === 0 ? 1 : done / total;
    const bar = '#'.repeat(Math.round(share * 30)).padEnd(30, '.');
    this.#world.error.write(`\r\x1b[K[${bar}] ${done} of ${total} accounts`);
  }

  clear(): void {
    if (this.#terminal && this.#drawn > 0) this.#world.error.write('\r\x1b[K');
  }
}

function linesOf({ found, said }: Answered, user: string): readonly Line[] {
  const at = `(${placeText(found.place)})`;
  const factors = said.factors.map((factor): Line => {
    const { kind, name, outcome } = factor;
    return { user, kind, name, outcome, why: factor.outcome === 'refused' ? `${factor.message} ${at}` : '' };
  });
  const unsupported = found.cannot.map(
    ({ what, why }): Line => ({ user, kind: what, name: '', outcome: 'cannot', why: `${why} ${at}` }),
  );
  const lines = [...factors, ...unsupported];
  if (said.message !== undefined)
    lines.unshift({ user, kind: '', name: '', outcome: 'refused', why: `${said.message} ${at}` });
  if (said.locked) {
    const why = `lockout imported; to clear it: sallyport user unlock ${user}`;
    lines.push({ user, kind: '', name: '', outcome: 'locked', why });
  }
  return lines;
}
