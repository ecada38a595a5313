import assert from 'node:assert/strict';
import type { Caller } from '../../daemon/api/access.ts';
import type { SignInBody, SignInStep, SignInView } from '../../daemon/api/sign-in-views.ts';
import { codeOf } from '../../daemon/lib/errors.ts';
import { type ControlRig, uids } from './control-rig.ts';

/** Sign-ins as a test asks for them. */

export const origin = 'https://login.example.org';

/** One realm of each sort; whoever is not named here needs nothing. */
export const realms = `
[webauthn]
rp_id = "login.example.org"

[portal]
origins = ["${origin}"]
proxies = ["127.0.0.1"]

[[realm]]
name = "staff"
members = { users = ["alice", "root"] }
require = ["totp", "webauthn"]
lockout = { max_code_failures = 4, max_failures = 10, duration = "1h" }

[[realm]]
name = "newcomers"
members = { users = ["dave"] }
require = ["totp"]
enrol = "at-login"

[[realm]]
name = "graced"
members = { users = ["erin"] }
require = ["totp"]
enrol = "grace"
grace = "14d"

[[realm]]
name = "closed"
members = { users = ["frank"] }
require = "none"
  [[realm.rule]]
  services = ["sallyport-portal"]
  action = "refuse"

[[realm]]
name = "everyone"
require = "none"
`;

export const people = { dave: 61_010, erin: 61_011, frank: 61_012 } as const;

const nobody = { root: false, portal: false, admin: false } as const;
/** Who asks, as SO_PEERCRED would say. */
export const callers: Readonly<Record<'root' | 'portal' | 'alice' | 'bob' | 'carol', Caller>> = {
  root: { ...nobody, uid: 0, root: true },
  portal: { ...nobody, uid: uids.portal, portal: true },
  alice: { ...nobody, uid: uids.alice },
  bob: { ...nobody, uid: uids.bob, admin: true },
  carol: { ...nobody, uid: uids.carol },
};

export function knows(rig: ControlRig): void {
  for (const [name, uid] of Object.entries(people)) rig.names.people.set(name, uid);
}

export const withPassword = (
  user: string,
  password = `password of ${user}`,
  source?: string,
): SignInBody => ({
  user,
  by: 'password',
  password,
  ...(source === undefined ? {} : { source }),
});

/** What it ended with: a step's kind, or the code of the error. */
export async function outcomeOf(view: Promise<SignInView>): Promise<string> {
  return view.then(
    ({ step }) => step.kind,
    (error: unknown) => codeOf(error),
  );
}

export async function refusalOf(view: Promise<SignInView>): Promise<string> {
  return view.then(
    ({ step }) => assert.fail(`not refused: ${step.kind}`),
    (error: unknown) => `${codeOf(error)}: ${error instanceof Error ? error.message : ''}`,
  );
}

export function asked(view: SignInView): { readonly id: string } & SignInStep & { kind: 'factor' } {
  assert.ok(view.step.kind === 'factor', `not asked: ${view.step.kind}`);
  return { id: view.id, ...view.step };
}

export function done(view: SignInView): SignInStep & { kind: 'done' } {
  assert.ok(view.step.kind === 'done', `not done: ${view.step.kind}`);
  return view.step;
}

export function linkIn(view: SignInView): SignInStep & { kind: 'link' } {
  assert.ok(view.step.kind === 'link', `no link: ${view.step.kind}`);
  return view.step;
}

/** The trail, without what each event is about. */
export const trailOf = (rig: ControlRig) =>
  rig.store.trail.map(({ kind, outcome, reason }) => `${kind} ${outcome} ${reason}`);

/** What must never be written down or logged. */
export function assertSilent(rig: ControlRig, ...secrets: readonly string[]): void {
  const written = JSON.stringify([rig.store.trail, rig.logged]);
  for (const secret of secrets) assert.ok(!written.includes(secret), 'a secret was written down');
}
