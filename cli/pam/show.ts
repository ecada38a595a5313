import type { Output } from '../lib/output.ts';
import { checkService, ourLines, sentence } from './check.ts';
import type { PamFiles } from './files.ts';
import type { Finding } from './lines.ts';
import { placeOf, readStack, type StackEntry, servicesReaching } from './read.ts';
import { isService } from './services.ts';

export interface ServiceView {
  readonly service: string;
  readonly guarded: boolean;
  /** Location of pam_sallyport. */
  readonly module?: string;
  /** The line of the service's own file that includes it; absent if it is the module line itself. */
  readonly through?: string;
  /** The service has no auth lines, so libpam uses "other". */
  readonly other: boolean;
  readonly findings: readonly Finding[];
}

export function viewOf(files: PamFiles, service: string): ServiceView {
  const stack = readStack(files, service, 'auth');
  const [line] = ourLines(stack);
  const entry = stack.entries.find((one) => one.line === line);
  const through = entry?.via[0];
  return {
    service,
    guarded: line !== undefined,
    ...(line === undefined ? {} : { module: placeOf(line) }),
    ...(through === undefined ? {} : { through: placeOf(through) }),
    other: stack.other,
    findings: checkService(files, service),
  };
}

export function allViews(files: PamFiles): readonly ServiceView[] {
  return files
    .names()
    .filter(isService)
    .map((service) => viewOf(files, service));
}

export function showAll(output: Output, views: readonly ServiceView[]): void {
  output.table(
    ['SERVICE', 'GUARDED', 'MODULE', 'THROUGH', 'FAULTS'],
    views.map(({ service, guarded, module, through, findings }) => [
      service,
      guarded ? 'yes' : 'no',
      module ?? '',
      through ?? '',
      String(findings.filter(({ level }) => level !== 'note').length),
    ]),
  );
  const faulty = views.flatMap(({ service, findings }) =>
    findings.filter(({ level }) => level !== 'note').map((finding) => `${service}: ${sentence(finding)}`),
  );
  for (const text of new Set(faulty)) output.warn(text);
}

/** One line of a stack, for scripts. */
export interface EntryView {
  readonly place: string;
  readonly text: string;
  /** Nesting level of substacks. */
  readonly depth: number;
  readonly via: readonly string[];
  readonly kind: StackEntry['kind'];
  readonly ours: boolean;
}

export interface StackView extends ServiceView {
  readonly file?: string;
  readonly entries: readonly EntryView[];
  /** Other services that a change to the service's own file applies to. */
  readonly reaches: readonly string[];
}

export function stackView(files: PamFiles, service: string): StackView {
  const stack = readStack(files, service, 'auth');
  const mine = new Set<unknown>(ourLines(stack));
  const own = files.read(service)?.path;
  return {
    ...viewOf(files, service),
    ...(stack.file === undefined ? {} : { file: stack.file }),
    entries: stack.entries.map(({ kind, line, depth, via }) => ({
      place: placeOf(line),
      text: line.text,
      depth,
      via: via.map(placeOf),
      kind,
      ours: mine.has(line),
    })),
    reaches:
      own === undefined
        ? []
        : servicesReaching(files, own).filter((name) => name !== service && isService(name)),
  };
}

export function showStack(output: Output, view: StackView): void {
  if (view.other) output.note(`${view.service} has no auth lines, so libpam uses "other"`);
  output.table(
    ['', 'LINE', 'PLACE'],
    view.entries.map(({ place, text, depth, ours, kind }) => [
      ours ? '>>' : kind === 'broken' ? '!!' : '',
      `${'  '.repeat(depth)}${text.replaceAll(/\s+/g, ' ')}`,
      place,
    ]),
  );
  if (view.reaches.length > 0)
    output.note(`A change of ${view.service} also applies to: ${view.reaches.join(', ')}`);
  if (!view.guarded)
    output.note(`${view.service} does not run pam_sallyport; to protect it: sallyport pam enable --help`);
  for (const finding of view.findings)
    if (finding.level === 'note') output.note(sentence(finding));
    else output.warn(sentence(finding));
}
