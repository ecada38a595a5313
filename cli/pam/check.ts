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

/** Whether a login of the service may run pam_sallyport. */
export function guards(stack: Stack): boolean {
  return ourLines(stack).length > 0;
}

export function ourLines(stack: Stack): readonly ModuleLine[] {
  return stack.entries.flatMap((entry) =>
    entry.kind === 'module' && isOurs(entry.line) ? [entry.line] : [],
  );
}

/** Checks every phase of the service. A service without pam_sallyport has findings only for broken lines. */
export function checkService(files: PamFiles, service: string): readonly Finding[] {
  const found = [
    ...refusals(files, service),
    ...faultsOf(readStack(files, service, 'auth')),
    ...wrongPhases(files, service),
  ];
  return [...new Map(found.map((one) => [JSON.stringify([one.code, one.place]), one])).values()];
}

/** @param stack of the auth phase */
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
 * @param first result of first-factor modules; @param ours result of pam_sallyport;
 * @param quiet results of modules that verify nothing
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

/** All paths: modules that verify nothing return IGNORE or SUCCESS, and SUCCESS can end a stack. */
function ways(
  { entries, service }: Stack,
  first: readonly string[],
  ours: readonly string[],
): readonly Outcome[] {
  return ['ignore', 'success'].flatMap((quiet) => outcomes(entries, answering(service, first, ours, quiet)));
}

/** Invariant of first_factor=passed: a login with a wrong password never reaches the line. */
function firstFactor(stack: Stack): readonly Finding[] {
  const wrong = ways(stack, failures, ['success']);
  const reached = wrong.flatMap(({ steps }) => steps.filter(({ line }) => isOurs(line) && saysPassed(line)));
  return uniquePlaces(reached.map(({ line }) => line)).map((line) =>
    finding(
      'first-factor-unverified',
      'error',
      line,
      'first_factor=passed is wrong here: a login with a wrong password reaches this line; ' +
        'make the password line end such a login (requisite)',
    ),
  );
}

/** Logins that succeed without running pam_sallyport. */
function skips(stack: Stack): readonly Finding[] {
  const all = ways(stack, ['success', 'auth_err'], ['success']);
  const around = all.filter(
    ({ status, steps }) => status === 'success' && !steps.some(({ line }) => isOurs(line)),
  );
  return uniquePlaces(around.flatMap(({ steps }) => blamed(steps) ?? [])).map((line) =>
    moduleName(line) === 'rootok'
      ? finding('root-not-asked', 'note', line, 'root is not asked for a second factor, as intended')
      : finding(
          'skipped',
          'error',
          line,
          `${moduleName(line)} ends the stack with success before pam_sallyport: its logins are not asked for a second factor`,
        ),
  );
}

/** The last line that ended the stack or jumped. */
function blamed(steps: readonly Step[]): ModuleLine | undefined {
  const last = steps.findLast(({ action }) => action === 'done' || typeof action === 'number');
  return last?.line ?? steps.at(-1)?.line;
}

const refusing = ['auth_err', 'perm_denied', 'maxtries', 'system_err', 'service_err', 'conv_err'];

/** A refusal must end the login. While the daemon is unavailable, a stack may admit root at the console. */
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
        `"${line.controlText}" allows a login that pam_sallyport refused; use requisite`,
      ),
    );
  const unavailable = open(['authinfo_unavail']);
  return uniquePlaces(unavailable.flatMap(lastOurs)).map((line) => {
    if (!unavailable.every((way) => comesBy(way, isForRoot)))
      return finding(
        'answer-not-binding',
        'error',
        line,
        'every account can log in without a second factor while sallyportd is unavailable',
      );
    return stack.service === 'login' && unavailable.every((way) => comesBy(way, isAtConsole))
      ? finding(
          'roots-way-in',
          'note',
          line,
          'root can log in at the console while sallyportd is unavailable',
        )
      : finding('way-around', 'error', line, wayAround(stack.service));
  });
}

function wayAround(service: string): string {
  return service === 'login'
    ? "while sallyportd is unavailable root's password is enough here, and not only at a console; in the line that " +
        'jumps here, list the terminals and add rhost !~ ?*'
    : "while sallyportd is unavailable root's password is enough here, even for a local user who can open one of " +
        'the listed terminals; add service = login to the line that jumps here';
}

/** Whether the path contains a line that succeeded and matches. */
function comesBy({ steps }: Outcome, fits: (line: ModuleLine) => boolean): boolean {
  return steps.some(({ line, answer }) => answer === 'success' && fits(line));
}

function lastOurs({ steps }: Outcome): readonly ModuleLine[] {
  const last = steps.findLast(({ line }) => isOurs(line));
  return last === undefined ? [] : [last.line];
}

/** If no factor is needed pam_sallyport returns IGNORE, and a stack with no other result refuses. */
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
      'accounts that need no second factor are refused; end the stack with "auth required pam_permit.so"',
    ),
  ];
}

/** The results of the other modules, as a key; after pam_sallyport the paths may differ. */
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
    finding('asked-twice', 'error', line, 'a login runs pam_sallyport twice, and is asked for two codes'),
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
        `pam_sallyport has no effect in ${phase}: it works only in auth`,
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
