import { randomBytes } from 'node:crypto';
import type {
  ApprovalOutcome,
  ApprovalView,
  AssertionOptions,
  CreationOptionsView,
} from '../../daemon/api/sign-in-views.ts';
import type { StoredAuditEvent } from '../../daemon/api/views.ts';
import type { PortalApi, SessionView, SignInReply } from '../../portal/contract.ts';
import { assertionOptions, creationOptions, registered, signed } from './portal-fake-keys.ts';
import {
  acceptsTyped,
  codeIsRight,
  FakeError,
  type FakeFactor,
  type FakePerson,
  newFactor,
  newRecovery,
  newTotp,
  summaryOf,
  tenKeys,
  viewOf,
} from './portal-fake-people.ts';

export interface FakeSession {
  person: FakePerson;
  changesUntil: number;
  readsUntil: number;
}

export interface FakeApproval {
  readonly view: ApprovalView;
  readonly person: FakePerson;
  /** What stands at the prompt. */
  readonly number: string;
  outcome?: ApprovalOutcome['outcome'];
}

export interface FakeState {
  readonly people: Map<string, FakePerson>;
  readonly sessions: Map<string, FakeSession>;
  readonly signIns: Map<string, { person: FakePerson; key?: AssertionOptions; tries: number }>;
  readonly ceremonies: Map<string, { options: CreationOptionsView; name: string }>;
  readonly links: Map<string, FakePerson>;
  readonly approvals: Map<string, FakeApproval>;
  readonly audit: StoredAuditEvent[];
  readonly origin: () => string;
  readonly rpId: string;
}

/** One request, with what a route needs of it. */
export interface FakeCall {
  readonly state: FakeState;
  readonly cookie: string | undefined;
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  // biome-ignore lint/suspicious/noExplicitAny: bodies come from the pages that are tested, whose types are checked
  readonly body: any;
  readonly keep: (cookie: string | undefined) => void;
}

type Routes = {
  readonly [Name in keyof PortalApi]: (
    call: FakeCall,
  ) => Promise<PortalApi[Name]['gives']> | PortalApi[Name]['gives'];
};

const minutes = 60_000;
const site = { name: 'Sallyport', host: 'login.example.org', rpId: 'localhost' };
const refused = () => new FakeError('sign-in-refused', 403, 'Incorrect account name or password.');

export const fakeRoutes: Routes = {
  'GET /api/session': (call) => sessionView(sessionOf(call)),
  'POST /api/sign-in': (call) => {
    const { user, by, password, link } = call.body;
    const person = call.state.people.get(user);
    if (by === 'link') {
      const invited = call.state.links.get(link);
      if (person === undefined || invited !== person)
        throw new FakeError(
          'sign-in-refused',
          403,
          'This link is invalid, used or expired. Request a new one.',
        );
      if (link.startsWith('with-password') && password === undefined)
        throw new FakeError('password-needed', 403, "the account's password is needed too");
      if (password !== undefined && person.password !== password)
        throw new FakeError(
          'sign-in-refused',
          403,
          'Incorrect password, or the link is invalid, used or expired.',
        );
      call.state.links.delete(link);
      return begin(call, person);
    }
    if (person === undefined || person.password !== password) throw refused();
    return begin(call, person);
  },
  'POST /api/sign-in/:id': async (call) => {
    const pending = call.state.signIns.get(call.path.id ?? '');
    if (pending === undefined)
      throw new FakeError('no-such-sign-in', 404, 'the sign-in has ended; start again');
    const { person, key } = pending;
    const right =
      call.body.kind === 'typed'
        ? acceptsTyped(person, call.body.answer)
        : key !== undefined && (await signed(person, key, call.body, call.state.origin()));
    if (right) {
      call.state.signIns.delete(call.path.id ?? '');
      return done(call, person);
    }
    pending.tries += 1;
    if (pending.tries >= 3) {
      call.state.signIns.delete(call.path.id ?? '');
      throw refused();
    }
    return {
      id: call.path.id ?? '',
      step: factorStep(call, person, call.path.id ?? '', 'Incorrect code.'),
    };
  },
  'POST /api/confirm': (call) => {
    const { person } = demand(call);
    const isRight =
      'link' in call.body
        ? call.state.links.get(call.body.link) === person && call.state.links.delete(call.body.link)
        : call.body.password === person.password;
    if (!isRight) throw refused();
    return begin(call, person);
  },
  'POST /api/sign-out': (call) => {
    call.state.sessions.delete(call.cookie ?? '');
    call.keep(undefined);
    return { done: true };
  },

  'GET /api/users/:user': (call) => viewOf(subject(call), demand(call).changesUntil > Date.now()),
  'POST /api/users/:user/factors': (call) => {
    const person = changing(call);
    const { body } = call;
    const name =
      body.kind === 'recovery' ? '' : nameIn(body.name ?? usualNames[body.kind] ?? 'Factor', person);
    switch (body.kind) {
      case 'totp': {
        const secret = Buffer.from(body.secret, 'base64');
        if (secret.length < 16)
          throw new FakeError('bad-secret', 422, 'a secret has 16 bytes at the least; this one is shorter');
        if (!codeIsRight(secret, body.code))
          throw new FakeError('wrong-code', 422, 'the code is wrong; is the clock of the device right?');
        const factor = newTotp(name, secret);
        factor.spent?.add(body.code);
        return enrolled(person, factor);
      }
      case 'yubikey':
        if (!/^[cbdefghijklnrtuv]{44}$/.test(body.code))
          throw new FakeError('wrong-code', 422, 'not a YubiKey OTP; touch the key');
        return enrolled(person, newFactor('yubikey', name));
      default: {
        const keys = tenKeys();
        const replaced = person.factors.filter(({ kind }) => kind === 'recovery').map(summaryOf);
        person.factors = person.factors.filter(({ kind }) => kind !== 'recovery');
        return { ...enrolled(person, newRecovery(keys)), recoveryKeys: keys, replaced };
      }
    }
  },
  'POST /api/users/:user/factors/:factor/rename': (call) => {
    const person = changing(call);
    const factor = factorOf(call, person);
    const name = nameIn(call.body.name, { ...person, factors: person.factors.filter((o) => o !== factor) });
    return changed(person, factor, { ...factor, name });
  },
  'POST /api/users/:user/factors/:factor/enable': (call) => {
    const person = changing(call);
    const factor = factorOf(call, person);
    return changed(person, factor, { ...factor, enabled: true });
  },
  'POST /api/users/:user/factors/:factor/disable': (call) => {
    const person = changing(call);
    const factor = factorOf(call, person);
    demandAnother(call, person, factor);
    return changed(person, factor, { ...factor, enabled: false });
  },
  'DELETE /api/users/:user/factors/:factor': (call) => {
    const person = changing(call);
    const factor = factorOf(call, person);
    demandAnother(call, person, factor);
    person.factors = person.factors.filter((other) => other !== factor);
    const warning = person.factors.length === 0 ? { warning: 'logins need the password alone now' } : {};
    return { account: person.account, changed: true, factor: summaryOf(factor), ...warning };
  },
  'POST /api/users/:user/keys': (call) => {
    const person = changing(call);
    const id = newId();
    const options = creationOptions(person, call.state.rpId);
    call.state.ceremonies.set(id, { options, name: nameIn(call.body.name ?? 'Security key', person) });
    return { id, options };
  },
  'POST /api/users/:user/keys/:id': async (call) => {
    const person = changing(call);
    const ceremony = call.state.ceremonies.get(call.path.id ?? '');
    if (ceremony === undefined)
      throw new FakeError('no-such-ceremony', 404, 'the enrolment has ended; start again');
    call.state.ceremonies.delete(call.path.id ?? '');
    return enrolled(
      person,
      await registered(ceremony.options, call.body, call.state.origin(), ceremony.name),
    );
  },

  'POST /api/approvals/show': (call) => {
    const { view, number } = approvalOf(call);
    return { ...view, number };
  },
  'POST /api/approvals/answer': async (call) => {
    const approval = approvalOf(call);
    const { id: _, number, ...assertion } = call.body;
    if (number !== undefined && number !== approval.number) {
      approval.outcome = 'refused';
      return { outcome: 'refused', text: 'Wrong number. The login was refused.' };
    }
    if (!(await signed(approval.person, approval.view.key, assertion, call.state.origin())))
      return { outcome: 'refused', text: 'This security key cannot approve this login.' };
    approval.outcome = 'approved';
    return {
      outcome: 'approved',
      text: 'Approved. Return to your login; press Enter there if it asks for it.',
    };
  },
  'POST /api/approvals/deny': (call) => {
    approvalOf(call).outcome = 'denied';
    return {
      outcome: 'denied',
      text: 'Denied. If you did not start this login, someone has your password: change it.',
    };
  },

  'GET /api/users': (call) => {
    demandAdmin(call);
    const search = call.query.get('search') ?? '';
    const after = call.query.get('after') ?? '';
    const limit = Number(call.query.get('limit') ?? '50');
    const fitting = [...call.state.people.values()]
      .filter(({ account }) => account.startsWith(search) && account > after)
      .sort((a, b) => (a.account < b.account ? -1 : 1));
    const users = fitting.slice(0, limit).map(({ account, factors, lock, lastLogin }) => ({
      account,
      factors: factors.map(({ kind, enabled }) => ({ kind, enabled })),
      lock,
      ...(lastLogin === undefined ? {} : { lastLogin }),
    }));
    const last = users.at(-1)?.account;
    return { users, ...(fitting.length > limit && last !== undefined ? { next: last } : {}) };
  },
  'POST /api/users/:user/unlock': (call) => {
    demandAdmin(call);
    const person = changing(call);
    person.lock = { codes: 0, any: 0 };
    return { account: person.account, changed: true };
  },
  'POST /api/users/:user/bypass': (call) => {
    demandAdmin(call);
    const person = changing(call);
    const factor = newFactor('bypass', 'Bypass code', { until: Date.now() + 60 * minutes });
    person.factors = [...person.factors.filter(({ kind }) => kind !== 'bypass'), factor];
    return { account: person.account, factor: summaryOf(factor), replaced: [], bypassCode: '123 456 789' };
  },
  'POST /api/users/:user/invite': (call) => {
    demandAdmin(call);
    const person = changing(call);
    const link = randomBytes(24).toString('base64url');
    call.state.links.set(link, person);
    return { link, expires: Date.now() + 24 * 60 * minutes };
  },
  'GET /api/audit': (call) => {
    demandAdmin(call);
    const user = call.query.get('user');
    const from = Number(call.query.get('from') ?? Number.MAX_SAFE_INTEGER);
    const limit = Number(call.query.get('limit') ?? '50');
    const fitting = call.state.audit
      .filter(({ account, seq }) => (user === null || account === user) && seq <= from)
      .sort((a, b) => b.seq - a.seq);
    const next = fitting[limit]?.seq;
    return { events: fitting.slice(0, limit), ...(next === undefined ? {} : { next }) };
  },
};

const usualNames: Readonly<Record<string, string>> = {
  totp: 'TOTP',
  yubikey: 'YubiKey',
};

const newId = () => randomBytes(16).toString('base64url');

function begin(call: FakeCall, person: FakePerson): SignInReply {
  if (!person.factors.some(({ enabled }) => enabled)) return done(call, person);
  const id = newId();
  call.state.signIns.set(id, { person, tries: 0 });
  return { id, step: factorStep(call, person, id) };
}

function factorStep(
  call: FakeCall,
  person: FakePerson,
  id: string,
  text?: string,
): Exclude<SignInReply['step'], { kind: 'done' }> {
  const kinds = new Set(person.factors.filter(({ enabled }) => enabled).map(({ kind }) => kind));
  const code = kinds.has('totp') || kinds.has('hotp') || kinds.has('yubikey');
  const recovery = kinds.has('recovery');
  const words = [code ? ['verification code'] : [], recovery ? ['recovery key'] : []].flat().join(' or ');
  const key = assertionOptions(person, call.state.rpId);
  const pending = call.state.signIns.get(id);
  if (pending !== undefined && key !== undefined) pending.key = key;
  return {
    kind: 'factor',
    ...(words === '' ? {} : { typed: `${words.charAt(0).toUpperCase()}${words.slice(1)}` }),
    ...(key === undefined ? {} : { key }),
    ...(text === undefined ? {} : { text }),
  };
}

function done(call: FakeCall, person: FakePerson): SignInReply {
  call.state.sessions.delete(call.cookie ?? '');
  const cookie = beginSession(call.state, person);
  call.keep(cookie);
  return { id: '', step: { kind: 'done', session: sessionView(call.state.sessions.get(cookie)) } };
}

export function beginSession(state: FakeState, person: FakePerson): string {
  const now = Date.now();
  const cookie = newId();
  state.sessions.set(cookie, { person, changesUntil: now + 5 * minutes, readsUntil: now + 15 * minutes });
  return cookie;
}

function sessionView(session: FakeSession | undefined): SessionView {
  if (session === undefined) return { person: null, site };
  const { account, uid, admin } = session.person;
  const { changesUntil, readsUntil } = session;
  return { person: { account, uid, admin }, changesUntil, readsUntil, site };
}

export function sessionOf({ state, cookie }: Pick<FakeCall, 'state' | 'cookie'>): FakeSession | undefined {
  const session = state.sessions.get(cookie ?? '');
  return session !== undefined && session.readsUntil > Date.now() ? session : undefined;
}

function demand(call: FakeCall): FakeSession {
  const session = sessionOf(call);
  if (session === undefined) throw new FakeError('signed-out', 401, 'Your session has ended. Sign in again.');
  return session;
}

function demandAdmin(call: FakeCall): void {
  if (!demand(call).person.admin) throw new FakeError('not-permitted', 403, 'that is for administrators');
}

function subject(call: FakeCall): FakePerson {
  const { person } = demand(call);
  if (call.path.user === person.account) return person;
  if (!person.admin) throw new FakeError('not-permitted', 403, 'that is not your account');
  const other = call.state.people.get(call.path.user ?? '');
  if (other === undefined)
    throw new FakeError('no-such-account', 404, `account "${call.path.user ?? ''}" not found`);
  return other;
}

function changing(call: FakeCall): FakePerson {
  const session = demand(call);
  const person = subject(call);
  if (session.changesUntil <= Date.now())
    throw new FakeError('confirm-needed', 403, 'confirm it with your password and second factor');
  if (person.uid === 0)
    throw new FakeError('not-permitted', 403, 'factors of root are changed by root alone');
  return person;
}

function enrolled(person: FakePerson, factor: FakeFactor) {
  person.factors = [...person.factors, factor];
  return { account: person.account, factor: summaryOf(factor), replaced: [] };
}

function changed(person: FakePerson, before: FakeFactor, after: FakeFactor) {
  person.factors = person.factors.map((factor) => (factor === before ? after : factor));
  return { account: person.account, changed: true, factor: summaryOf(after) };
}

function factorOf(call: FakeCall, person: FakePerson): FakeFactor {
  const found = person.factors.find(({ id }) => id === call.path.factor);
  if (found === undefined)
    throw new FakeError('no-such-factor', 404, 'factor not found; run: sallyport factor list');
  return found;
}

/** Recovery keys take the place of nothing that is required; an administrator is asked. */
function demandAnother(call: FakeCall, person: FakePerson, factor: FakeFactor): void {
  const left = person.factors.filter((other) => other !== factor && other.enabled);
  if (person.require === 'none' || left.some(({ kind }) => kind !== 'recovery')) return;
  if (sessionOf(call)?.person === person)
    throw new FakeError('last-factor', 409, 'the realm requires a factor, and this is the last one');
  if (call.query.get('confirmed') !== 'true')
    throw new FakeError('yes-needed', 409, `${person.account} has no factor left that the realm accepts`);
}

function nameIn(name: string, person: FakePerson): string {
  if (person.factors.some((factor) => factor.name.toLowerCase() === name.toLowerCase()))
    throw new FakeError('name-taken', 409, `the account has a factor "${name}" already; choose another name`);
  return name;
}

function approvalOf(call: FakeCall): FakeApproval {
  const approval = call.state.approvals.get(String(call.body.id));
  if (approval === undefined || approval.outcome !== undefined)
    throw new FakeError('no-such-approval', 404, 'This login no longer waits for approval. Start it again.');
  return approval;
}
