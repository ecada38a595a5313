import { excludes, isAtConsole, isForRoot } from './conditions.ts';
import type { PamFiles } from './files.ts';
import type { Finding, FindingCode, ModuleLine, Place } from './lines.ts';
import { moduleName, roleOf, saysPassed } from './modules.ts';
import { isOurs, placeOf, readStack, type Stack } from './read.ts';
import { brokenLines, refusals } from './refusals.ts';
import { type Outcome, outcomes, type Step } from './simulate-stack.ts';

export function sentence({ place, message }: Finding): string {
  return place === undefined ? message : `${placeOf(place)}: ${message}`;
}

/** Whether a login of the service may come by pam_sallyport at all. */
export function guards(stack: Stack): boolean {
  return ourLines(stack).length > 0;
}

export function ourLines(stack: Stack): readonly ModuleLine[] {
  return stack.entries.flatMap((entry) =>
    entry.kind === 'module' && isOurs(entry.line) ? [entry.line] : [],
  );
}

/** Reads the service in every phase. A service that does not reach pam_sallyport has no findings but what is broken. */
export function checkService(files: PamFiles, service: string): readonly Finding[] {
  const found = [
    ...refusals(files, service),
    ...faultsOf(readStack(files, service, 'auth')),
    ...wrongPhases(files, service),
  ];
  return [...new Map(found.map((one) => [JSON.stringify([one.code, one.place]), one])).values()];
}

/** @param stack of the phase auth */
export function checkStack(stack: Stack): readonly Finding[] {
  return [...brokenLines(stack), ...faultsOf(stack)];
}

function faultsOf(stack: Stack): readonly Finding[] {
  if (stack.fatal !== undefined || !guards(stack)) return [];
  return [...firstFactor(stack), ...skips(stack), ...bindings(stack), ...ignored(stack), ...twice(stack)];
}

const either = ['success', 'auth_err'];
const failures = ['auth_err', 'user_unknown', 'authinfo_unavail'];

type Answers = (line: ModuleLine) => readonly string[];

/**
 * @param first what the modules of first factors answer; @param ours what pam_sallyport does;
 * @param quiet what those do that prove nothing
 */
function answering(
  service: string,
  first: readonly string[],
  ours: readonly string[],
  quiet = 'ignore',
): Answers {
  return (line) => {
    switch (roleOf(line)) {
      case 'ours':
        return ours;
      case 'first':
        return first;
      case 'deny':
        return ['auth_err'];
      case 'permit':
        return ['success'];
      case 'quiet':
        return [quiet];
      case 'other':
        if (excludes(line, service)) return ['auth_err'];
        return moduleName(line) === 'faillock' ? ['ignore'] : either;
    }
  };
}

/** Every way through: some of the modules that prove nothing answer IGNORE, and some SUCCESS, which can end a stack. */
function ways(
  { entries, service }: Stack,
  first: readonly string[],
  ours: readonly string[],
): readonly Outcome[] {
  return ['ignore', 'success'].flatMap((quiet) => outcomes(entries, answering(service, first, ours, quiet)));
}

/** first_factor=passed must be true: nobody gets there whose password was wrong. */
function firstFactor(stack: Stack): readonly Finding[] {
  const wrong = ways(stack, failures, ['success']);
  const reached = wrong.flatMap(({ steps }) => steps.filter(({ line }) => isOurs(line) && saysPassed(line)));
  return uniquePlaces(reached.map(({ line }) => line)).map((line) =>
    finding(
      'first-factor-unverified',
      'error',
      line,
      'first_factor=passed is not true here: a login with a wrong password gets to this line. ' +
        'The line of the password must end such a login (requisite)',
    ),
  );
}

/** Whoever is let in without having come by. */
function skips(stack: Stack): readonly Finding[] {
  const all = ways(stack, ['success', 'auth_err'], ['success']);
  const around = all.filter(
    ({ status, steps }) => status === 'success' && !steps.some(({ line }) => isOurs(line)),
  );
  return uniquePlaces(around.flatMap(({ steps }) => blamed(steps) ?? [])).map((line) =>
    moduleName(line) === 'rootok'
      ? finding('root-not-asked', 'note', line, 'root itself is asked for nothing, which is as it should be')
      : finding(
          'skipped',
          'error',
          line,
          `${moduleName(line)} lets in without pam_sallyport: whom it accepts is asked for no second factor`,
        ),
  );
}

/** The last line that ended the stack or jumped. */
function blamed(steps: readonly Step[]): ModuleLine | undefined {
  const last = steps.findLast(({ action }) => action === 'done' || typeof action === 'number');
  return last?.line ?? steps.at(-1)?.line;
}

const refusing = ['auth_err', 'perm_denied', 'maxtries', 'system_err', 'service_err', 'conv_err'];

/** A refusal must refuse. With "no daemon answers" root may be let in, where the stack says so. */
function bindings(stack: Stack): readonly Finding[] {
  const open = (answers: readonly string[]) =>
    ways(stack, ['success'], answers).filter(
      ({ status, steps }) => status === 'success' && steps.some(({ line }) => isOurs(line)),
    );
  const lax = uniquePlaces(open(refusing).flatMap(lastOurs));
  if (lax.length > 0)
    return lax.map((line) =>
      finding(
        'answer-not-binding',
        'error',
        line,
        `"${line.controlText}" lets in although pam_sallyport refuses: say requisite`,
      ),
    );
  const unavailable = open(['authinfo_unavail']);
  return uniquePlaces(unavailable.flatMap(lastOurs)).map((line) => {
    if (!unavailable.every((way) => comesBy(way, isForRoot)))
      return finding(
        'answer-not-binding',
        'error',
        line,
        'everybody gets in while sallyportd is unavailable',
      );
    return stack.service === 'login' && unavailable.every((way) => comesBy(way, isAtConsole))
      ? finding('roots-way-in', 'note', line, 'root gets in at the console while sallyportd is unavailable')
      : finding('way-around', 'error', line, wayAround(stack.service));
  });
}

function wayAround(service: string): string {
  return service === 'login'
    ? "while sallyportd is unavailable root's password is enough here, and not only at a console: the line that " +
        'leads here must list the terminals, and say rhost !~ ?*'
    : "while sallyportd is unavailable root's password is enough here, also for a local user who can open one of " +
        'the terminals that are listed: the line that leads here must say service = login';
}

/** The way leads through a line that has succeeded and fits. */
function comesBy({ steps }: Outcome, fits: (line: ModuleLine) => boolean): boolean {
  return steps.some(({ line, answer }) => answer === 'success' && fits(line));
}

function lastOurs({ steps }: Outcome): readonly ModuleLine[] {
  const last = steps.findLast(({ line }) => isOurs(line));
  return last === undefined ? [] : [last.line];
}

/** Where nothing is needed the answer is IGNORE, and a stack of nothing else is a refusal. */
function ignored(stack: Stack): readonly Finding[] {
  const letIn = (answer: string) =>
    new Map(
      outcomes(stack.entries, answering(stack.service, ['success'], [answer]))
        .filter(({ status }) => status === 'success')
        .map(({ steps }) => [others(steps), steps] as const),
    );
  const needed = letIn('success');
  const notNeeded = letIn('ignore');
  const lost = [...needed].filter(([key]) => !notNeeded.has(key));
  const line = lost.flatMap(([, steps]) => lastOurs({ status: 'success', steps }))[0];
  if (line === undefined) return [];
  return [
    finding(
      'ignore-refused',
      'error',
      line,
      'whoever needs no second factor is refused: end the stack in "auth required pam_permit.so"',
    ),
  ];
}

/** What the other modules answered, as a key; behind ours the ways may part. */
function others(steps: readonly Step[]): string {
  const until = steps.findIndex(({ line }) => isOurs(line));
  return steps
    .slice(0, until < 0 ? undefined : until)
    .map(({ line, answer }) => `${placeOf(line)}=${answer}`)
    .join(' ');
}

function twice(stack: Stack): readonly Finding[] {
  const all = outcomes(stack.entries, answering(stack.service, ['success'], ['success', 'ignore']));
  const second = all.flatMap(({ steps }) => steps.filter(({ line }) => isOurs(line))[1]?.line ?? []);
  return uniquePlaces(second).map((line) =>
    finding('asked-twice', 'error', line, 'one login comes by pam_sallyport twice, and is asked twice'),
  );
}

function wrongPhases(files: PamFiles, service: string): readonly Finding[] {
  return (['account', 'session', 'password'] as const).flatMap((phase) => {
    const stack = readStack(files, service, phase);
    return ourLines(stack).map((line) =>
      finding(
        'wrong-phase',
        'warning',
        line,
        `pam_sallyport does nothing in ${phase}: it belongs to auth alone`,
      ),
    );
  });
}

function finding(
  code: FindingCode,
  level: Finding['level'],
  { file, line }: Place,
  message: string,
): Finding {
  return { code, level, place: { file, line }, message };
}

function uniquePlaces(lines: readonly ModuleLine[]): readonly ModuleLine[] {
  return [...new Map(lines.map((line) => [placeOf(line), line])).values()];
}
