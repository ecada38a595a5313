import type { ImportedFactor } from '../../daemon/api/account-views.ts';
import { pluralise } from '../../daemon/lib/units.ts';
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

export function createReport({ output, world, json, dryRun }: ReportOptions): Report {
  const counts = { accounts: 0, added: 0, raised: 0, unchanged: 0, refused: 0, legacy: 0, unreadable: 0 };
  const terminal = world.error.isTTY === true;
  let drawn = 0;
  const clear = () => {
    if (terminal && drawn > 0) world.error.write('\r\x1b[K');
  };
  const tell = (line: Line) => {
    if (line.outcome === 'refused' || line.outcome === 'cannot') counts.refused += 1;
    else if (line.outcome !== 'locked') counts[line.outcome] += 1;
    const isQuiet =
      !dryRun && (line.outcome === 'added' || line.outcome === 'unchanged' || line.outcome === 'raised');
    if (json || isQuiet) return;
    clear();
    const { user, kind, name, outcome, why } = line;
    if (output.terminal)
      output.prose(
        `${user}  ${kind}${name === '' ? '' : ` "${name}"`}  ${outcome}${why === '' ? '' : `: ${why}`}`,
      );
    else output.table([], [[user, kind, name, outcome, why]]);
  };
  return {
    answered({ found, said }) {
      counts.accounts += 1;
      const user = said.account ?? found.user ?? keyOf(found);
      if (json) {
        clear();
        const { place, cannot } = found;
        output.jsonLine({ place: placeText(place), user, ...said, cannot }, noTimes);
      }
      if (said.message !== undefined)
        tell({
          user,
          kind: '',
          name: '',
          outcome: 'refused',
          why: `${said.message} (${placeText(found.place)})`,
        });
      for (const factor of said.factors) {
        const why = factor.outcome === 'refused' ? `${factor.message} (${placeText(found.place)})` : '';
        if (factor.outcome === 'added' && isLegacy(factor.kind)) counts.legacy += 1;
        tell({ user, kind: factor.kind, name: factor.name, outcome: factor.outcome, why });
      }
      for (const { what, why } of found.cannot)
        tell({ user, kind: what, name: '', outcome: 'cannot', why: `${why} (${placeText(found.place)})` });
      if (said.locked)
        tell({
          user,
          kind: '',
          name: '',
          outcome: 'locked',
          why: `lockout imported; to clear it: sallyport user unlock ${user}`,
        });
    },
    problem({ place, user, why }) {
      counts.unreadable += 1;
      if (json) {
        clear();
        output.jsonLine(
          {
            place: placeText(place),
            ...(user === undefined ? {} : { user }),
            outcome: 'unreadable',
            message: why,
          },
          noTimes,
        );
      } else {
        clear();
        output.error(`${placeText(place)}: ${user === undefined ? '' : `${user}: `}${why}`);
      }
    },
    progress(done, total) {
      if (!terminal || (world.now() - drawn < drawEvery && done < total)) return;
      drawn = world.now();
      const share = total === 0 ? 1 : done / total;
      const bar = '#'.repeat(Math.round(share * 30)).padEnd(30, '.');
      world.error.write(`\r\x1b[K[${bar}] ${done} of ${total} accounts`);
    },
    end() {
      clear();
      const { accounts, added, raised, unchanged, refused, unreadable, legacy } = counts;
      if (json) output.jsonLine({ dryRun, ...counts }, noTimes);
      const would = dryRun ? ' Dry run: nothing was changed.' : '';
      output.note(
        `${pluralise(accounts, 'account')}: ${pluralise(added, 'factor')} added, ${raised} with a newer last-used counter, ${unchanged} unchanged, ${refused} not imported, ${pluralise(unreadable, 'line or file', 'lines or files')} unreadable.${would}`,
      );
      if (legacy > 0 && !dryRun)
        output.note(
          `${pluralise(legacy, 'factor is legacy', 'factors are legacy')}: ask users to create recovery keys (factor add recovery) and to enrol their keys again (factor add webauthn), then remove the old ones.`,
        );
      return refused === 0 && unreadable === 0;
    },
  };
}

function isLegacy(kind: string): boolean {
  return kind === 'scratch' || kind === 'u2f';
}
