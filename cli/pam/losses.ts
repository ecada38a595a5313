import { isIP } from 'node:net';
import type { ExplainQuery } from '../../daemon/api/views.ts';
import type { ControlClient } from '../../daemon/client/client.ts';
import type { Progress } from '../lib/progress.ts';
import { outside } from '../lib/sshd-settings.ts';
import { hasPassword } from './accounts.ts';
import { type Candidate, candidatesFor, mostCandidates } from './candidates.ts';
import type { PamFiles } from './files.ts';
import { dropInsThere, type Plan } from './plan.ts';
import { readStack } from './read.ts';
import { hasKeys } from './ssh-keys.ts';
import { disagreements, includeHint } from './sshd.ts';
import { type Preview, previewSshd } from './sshd-preview.ts';
import { isAdmitted, type Means, type Obstacle, overSsh, throughPam } from './ways.ts';

export interface LossOptions {
  readonly plan: Plan;
  /** The current files. */
  readonly files: PamFiles;
  readonly client: ControlClient;
  readonly progress: Progress;
  readonly now: number;
  /** The caller's source address. */
  readonly address: string | undefined;
  /** The caller. */
  readonly caller: string | undefined;
  readonly isMeant: boolean;
  /** Accounts that other findings already cover. */
  readonly reported: ReadonlySet<string>;
}

const atOnce = 8;

interface Lost {
  readonly name: string;
  readonly why: NonNullable<Obstacle>;
}

/** Finds accounts that the change would lock out, and accounts that would bypass the second factor. */
export async function lossesOf(options: LossOptions): Promise<Safety> {
  const { plan, client, progress } = options;
  const ssh = plan.dropIn === undefined ? undefined : previews(plan);
  try {
    const settings = ssh === undefined ? [] : settingFaults(options, ssh.will);
    const { asked, left } = await candidatesFor(client, options.now);
    const lost: Lost[] = [];
    const past: string[] = [];
    let stays = 0;
    for (let from = 0; from < asked.length; from += atOnce) {
      progress.show(`${from} of ${asked.length} accounts …`);
      const some = asked.slice(from, from + atOnce);
      const means = await Promise.all(some.map((one) => meansOf(options, one)));
      for (const [index, mean] of means.entries()) {
        const { was, later, pastPam } =
          mean === undefined ? nothing : evaluate(options, ssh, mean, addressOf(options, some[index]));
        const name = mean?.account.name ?? '';
        if (pastPam) past.push(name);
        if (was && later !== undefined) lost.push({ name, why: later });
        else if (was) stays += 1;
      }
    }
    const said = sentences(options, lost, past, left);
    if (stays > 0 || lost.length === 0 || options.isMeant) return { blockers: settings, warnings: said };
    const allLost = `every account that can log in through ${plan.service} now would be locked out; if this is intended, use --yes`;
    return { blockers: [...settings, ...said, allLost], warnings: [] };
  } finally {
    progress.clear();
    ssh?.was.close();
    ssh?.will.close();
  }
}

interface Previews {
  readonly was: Preview;
  readonly will: Preview;
}

function previews(plan: Plan): Previews {
  return { was: previewSshd([]), will: previewSshd(plan.files) };
}

/** Errors that would make the change fail, found before anything is written. */
function settingFaults({ plan, caller, address = outside }: LossOptions, will: Preview): readonly string[] {
  const text = dropInsThere(plan.after, [plan.dropIn ?? ''])[0]?.text;
  if (text === undefined) return [];
  const found = new Set(disagreements(text, will.ask().settings));
  if (caller !== undefined)
    for (const one of disagreements(text, will.ask({ user: caller, address }).settings))
      if (!found.has(one)) found.add(`for ${caller} ${one}`);
  return found.size === 0
    ? []
    : ['with these settings of sshd its logins would bypass PAM', ...found, includeHint];
}

async function meansOf(
  { plan, client, address }: LossOptions,
  { account, address: last }: Candidate,
): Promise<Means | undefined> {
  const from = address ?? last;
  const query: ExplainQuery =
    plan.service === 'login'
      ? { service: plan.service, tty: 'tty1' }
      : plan.service === 'sshd' && from !== undefined && isIP(from) !== 0
        ? { service: plan.service, from }
        : { service: plan.service };
  try {
    const { decision } = await client.explain(account.name, query);
    return { account, password: hasPassword(account.name), decision };
  } catch {
    return undefined;
  }
}

interface Evaluated {
  readonly was: boolean;
  readonly later: Obstacle;
  readonly pastPam: boolean;
}

const nothing: Evaluated = { was: false, later: undefined, pastPam: false };

function addressOf({ address }: LossOptions, candidate: Candidate | undefined): string {
  return candidate?.address ?? address ?? outside;
}

function evaluate(
  { plan, files }: LossOptions,
  ssh: Previews | undefined,
  means: Means,
  address: string,
): Evaluated {
  const { account } = means;
  const before = readStack(files, plan.service, 'auth');
  if (ssh === undefined) {
    // sudo does not ask root, and root locks no screen.
    if (account.uid === 0 && plan.service !== 'login' && plan.service !== 'su') return nothing;
    const later = throughPam(plan.stack, means)
      ? undefined
      : means.decision === 'ask'
        ? 'password'
        : 'refused';
    return { was: throughPam(before, means), later, pastPam: false };
  }
  // Names that sshd does not accept in -C user=.
  if (/[,=\s]/.test(account.name)) return nothing;
  const connection = { user: account.name, address };
  const now = ssh.was.ask(connection);
  const planned = ssh.will.ask(connection);
  const login = (resolved: typeof now, stack: typeof before) =>
    overSsh(resolved, stack, means, () => hasKeys(account, resolved.settings));
  const was = login(now, before).obstacle === undefined && isAdmitted(now, account, connection);
  if (!was) return nothing;
  const after = login(planned, plan.stack);
  return { was, later: after.obstacle, pastPam: after.pastPam && means.decision !== 'not-needed' };
}

const reasons: Readonly<Record<NonNullable<Obstacle>, string>> = {
  key: 'sshd finds no key for them; run: ssh-copy-id',
  password: 'they have no password; run: passwd NAME',
  refused: 'for the reason, run: sallyport explain NAME',
  methods:
    'sshd offers them no method that can ask for a code, perhaps because of a Match block; check: sshd -T -C user=NAME,host=,addr=',
  root: 'PermitRootLogin lets root answer no prompt',
};

function sentences(
  { plan, reported }: LossOptions,
  lost: readonly Lost[],
  past: readonly string[],
  left: number,
): readonly string[] {
  const by = (why: NonNullable<Obstacle>) =>
    lost.filter((one) => one.why === why && !reported.has(one.name)).map(({ name }) => name);
  const kinds = Object.keys(reasons) as (keyof typeof reasons)[];
  return [
    ...kinds.flatMap((why) => {
      const names = by(why);
      const text = `these accounts could no longer log in through ${plan.service}: ${listed(names)}; ${reasons[why]}`;
      return names.length === 0 ? [] : [text];
    }),
    ...(past.length === 0
      ? []
      : [
          `these accounts would bypass the second factor: ${listed(past)}; to find out how: sshd -T -C user=NAME,host=,addr=`,
        ]),
    ...(left === 0
      ? []
      : [
          `only ${mostCandidates} accounts were checked, and ${left} were not; to check more: sallyport doctor`,
        ]),
  ];
}

function listed(names: readonly string[]): string {
  const more = names.length > 10 ? ` and ${names.length - 10} more` : '';
  return `${names.slice(0, 10).join(', ')}${more}`;
}

/** Reasons that block a change, and warnings about it. */
export interface Safety {
  readonly blockers: readonly string[];
  readonly warnings: readonly string[];
}
