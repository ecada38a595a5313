import type { AuditEvent } from '../audit/event.ts';
import type { LogAggregator } from '../lib/log-aggregator.ts';
import { createCounter, createHistogram, type Family, gauge } from './exposition.ts';

/**
 * What is counted as it happens.
 *
 * Invariants: account names, addresses and typed text never become labels; each label has few values, which the
 * configuration or the program's own words give.
 */
export interface Counts {
  /** After an event was committed. */
  note(event: AuditEvent): void;
  /** HELLO to prompt, or to a result without one; answer to result, without the time that a wrong one is held back. */
  opened(seconds: number): void;
  answered(seconds: number): void;
  /** Answers in evaluation, or waiting for it. */
  evaluating(by: 1 | -1): void;
  committing(by: 1 | -1): void;
  committed(seconds: number, outcome: 'committed' | 'conflict' | 'failed'): void;
  logAggregator(what: 'unknown-name' | 'rate-limited', logAggregator: LogAggregator): LogAggregator;
  families(): readonly Family[];
}

const wrongReasons = ['wrong', 'replay', 'counter', 'clock', 'restored', 'unknown-format'] as const;
const outcomes = ['committed', 'conflict', 'failed'] as const;

/** In the order in which Prometheus is shown them. */
function createFamilies() {
  const logins = createCounter(
    'sallyport_logins_total',
    'Logins, by realm, kind of the factor that was used, and outcome.',
  );
  const wrong = createCounter(
    'sallyport_wrong_answers_total',
    'Answers that were not accepted, by why.',
    wrongReasons.map((reason) => ({ reason })),
  );
  const locks = createCounter(
    'sallyport_locks_total',
    'Locks that wrong answers led to: of typed codes, or of everything.',
    [{ what: 'codes' }, { what: 'all' }],
  );
  const changes = createCounter('sallyport_changes_total', 'Changes of factors and accounts, by kind.');
  const rejected = createCounter(
    'sallyport_rejected_attempts_total',
    'Attempts for which no account was asked: unknown name, or rate limited.',
    [{ reason: 'unknown-name' }, { reason: 'rate-limited' }],
  );
  const prompt = createHistogram(
    'sallyport_prompt_seconds',
    'From HELLO to the prompt, or to a result without one.',
  );
  const answer = createHistogram(
    'sallyport_answer_seconds',
    'From an answer to its result, without the time by which wrong ones are held back.',
  );
  const commit = createHistogram(
    'sallyport_commit_seconds',
    'From a change to its being on disk, waiting included.',
  );
  const commits = createCounter(
    'sallyport_commits_total',
    'Changes that were offered to the store, by outcome; after a conflict all is decided again.',
    outcomes.map((outcome) => ({ outcome })),
  );
  return { logins, wrong, locks, changes, rejected, prompt, answer, commit, commits };
}

export function createCounts(): Counts {
  const families = createFamilies();
  const { logins, wrong, locks, changes, rejected, prompt, answer, commit, commits } = families;
  let evaluating = 0;
  let committing = 0;

  return {
    note(event) {
      const { kind, realm = 'none', factor, outcome, reason, locked, count = 1 } = event;
      if (kind === 'login') logins.add({ realm, factor: factor?.kind ?? 'none', outcome }, count);
      else changes.add({ kind, outcome }, count);
      const why = wrongReasons.find((known) => known === reason);
      if (outcome === 'refused' && why !== undefined) wrong.add({ reason: why }, count);
      if (locked !== undefined) locks.add({ what: locked });
    },
    opened: prompt.observe,
    answered: answer.observe,
    evaluating(by) {
      evaluating += by;
    },
    committing(by) {
      committing += by;
    },
    committed(seconds, outcome) {
      if (outcome === 'committed') commit.observe(seconds);
      commits.add({ outcome });
    },
    logAggregator: (reason, logAggregator) => ({
      add(source) {
        rejected.add({ reason });
        logAggregator.add(source);
      },
      flush: () => logAggregator.flush(),
    }),
    families: () => [
      ...Object.values(families).map((one) => one.family()),
      gauge('sallyport_answers_waiting', 'Answers in evaluation, or waiting for it.', evaluating),
      gauge('sallyport_commits_waiting', 'Changes that are not on disk yet.', committing),
    ],
  };
}
