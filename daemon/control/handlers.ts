import type { ChangedBy } from '../admin/account-status.ts';
import type { Admin } from '../admin/contract.ts';
import type { BypassView, ExportPage, ImportView } from '../api/account-views.ts';
import { exportBody, importBody } from '../api/import-schema.ts';
import type { OperationName } from '../api/operations.ts';
import type { Route } from '../api/routes.ts';
import * as schema from '../api/schema.ts';
import { check, readBypass, readExempt, readMove, readReport } from '../api/schema.ts';
import type { UserView, VerifyBody, VerifyView } from '../api/views.ts';
import { withoutCodeToCome } from '../audit/filter.ts';
import type { ApprovalsApi } from '../ceremonies/approvals-api.ts';
import type { BrowserKeys } from '../ceremonies/browser-enrolment.ts';
import type { Ceremonies } from '../ceremonies/ceremonies.ts';
import { hasCode } from '../enrolment/enrolment.ts';
import type { ImportExport } from '../enrolment/import-export-types.ts';
import { limits } from '../limits.ts';
import { beginCheck, type Maintenance } from '../maintenance/maintenance.ts';
import { adoptKeys } from '../maintenance/master-keys.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Tokens } from '../sign-in/access-tokens.ts';
import type { SignIns } from '../sign-in/sign-ins.ts';
import type { Verifier } from '../verifier/contract.ts';
import type { Authorised } from './authorise.ts';
import { metricsType, PlainText } from './responses.ts';

/** One authorised request: the caller is known and allowed. */
export interface Call extends Authorised {
  readonly route: Route;
  /** Reads and parses the body; called only by operations that take one. */
  readonly body: () => Promise<unknown>;
  /** The access token of the request, valid or not. */
  readonly token?: string;
  /** @returns a signal that is aborted once the caller has closed the connection */
  readonly ended: () => AbortSignal;
}

export interface HandlerOptions {
  readonly admin: Admin;
  readonly verifier: Pick<Verifier, 'enrol' | 'verify'>;
  readonly ceremonies: Ceremonies;
  readonly signIns: SignIns;
  readonly tokens: Pick<Tokens, 'end'>;
  readonly browserKeys: BrowserKeys;
  readonly approvals: ApprovalsApi;
  readonly moving: ImportExport;
  readonly metrics: Metrics;
  readonly maintenance?: Maintenance;
}

/** The response's body. Anything thrown becomes an error body. */
export type Handler = (options: HandlerOptions, call: Call) => Promise<unknown>;

const importExportHandlers = {
  async import({ moving }: HandlerOptions, call: Call): Promise<ImportView> {
    const body = check(importBody, await call.body());
    return { accounts: await moving.take({ ...body, actor: call.actor }) };
  },
  async export({ moving }: HandlerOptions, call: Call): Promise<ExportPage> {
    const body = check(exportBody, await call.body());
    return moving.give({ ...body, actor: call.actor, limit: limits.movedAccounts });
  },
};

/** An administrator issues a code for one login; a new code replaces the previous one. */
const giveBypass: Handler = async ({ verifier }, call): Promise<BypassView> => {
  const issued = readBypass((await call.body()) ?? {});
  const { actor, account: user = '' } = call;
  const { bypassCode = '', ...added } = await verifier.enrol({ ...issued, actor, user, verify: false });
  return { ...added, bypassCode };
};

/** All except streams, and cases within other operations. */
export const handlers: Readonly<
  Record<
    Exclude<OperationName, 'audit-follow' | 'approval-follow' | 'backup' | 'factor-add-unverified'>,
    Handler
  >
> = {
  ...importExportHandlers,
  status: plain(async ({ admin }) => admin.status()),
  metrics: plain(async ({ metrics }) => new PlainText(await metrics.text(), metricsType)),
  reload: change(async ({ admin }) => admin.reload()),
  'portal-settings': async ({ admin }, call) => {
    admin.portalReported(schema.readPortalSettings(await call.body()).digest);
    return {};
  },
  'store-check': change(async ({ maintenance }) => beginCheck(maintenance)),
  'keys-adopt': change(async ({ maintenance }, call) => adoptKeys(maintenance, call.actor)),
  'realm-list': plain(async ({ admin }) => ({ realms: admin.realms() })),
  'realm-show': plain(async ({ admin }, { route }) => admin.realm(route.parameters.realm ?? '')),
  report: async ({ admin }, call) => admin.report(readReport(await call.body())),
  'user-list': async ({ admin }, { route }) => admin.users(schema.readPage(route.query)),
  'user-show': plain(async ({ admin }, call): Promise<UserView> => {
    return {
      ...(await admin.user(accountOf(call), call.hearsOfCodesToCome)),
      mayAdd: call.may('factor-add'),
      mayAddUnverified: call.may('factor-add-unverified'),
    };
  }),
  'user-unlock': change(async ({ admin }, call) => admin.unlock(call.actor, accountOf(call))),
  'user-forget': change(async ({ admin }, call) => admin.forget(call.actor, accountOf(call))),
  'user-move': async ({ admin }, call) => {
    const { to, confirmed = false } = readMove(await call.body());
    return admin.move(call.actor, accountOf(call), await call.demandFor(to), confirmed);
  },
  'user-exempt': async ({ admin }, call) =>
    admin.exempt(call.actor, accountOf(call), readExempt(await call.body())),
  'user-exempt-end': change(async ({ admin }, call) => admin.endExemption(call.actor, accountOf(call))),
  'factor-list': plain(async ({ admin }, call) => ({
    factors: await admin.factors(accountOf(call), call.hearsOfCodesToCome),
  })),
  'factor-add': async ({ verifier }, call) => {
    const body = schema.readEnrol(await call.body());
    try {
      if (hasCode(body.kind) && !body.verify) call.demand('factor-add-unverified');
      return await verifier.enrol({ ...body, actor: call.actor, user: accountOf(call) }, call.ended());
    } finally {
      schema.wipeBytes(body);
    }
  },
  'ceremony-begin': async ({ ceremonies }, call) =>
    ceremonies.begin(call.actor, accountOf(call), schema.readCeremony(await call.body())),
  'ceremony-next': async ({ ceremonies }, call) => {
    const { seen, pin } = schema.readCeremonyNext(await call.body());
    const typed = pin === undefined ? {} : { pin: Buffer.from(pin) };
    return ceremonies.next(call.actor, accountOf(call), ceremonyOf(call), { seen, ...typed });
  },
  'ceremony-cancel': change(async ({ ceremonies }, call) =>
    ceremonies.cancel(call.actor, accountOf(call), ceremonyOf(call)),
  ),
  'sign-in-begin': async ({ signIns }, call) =>
    signIns.begin(call.caller, schema.readSignIn(await call.body()), call.token),
  'sign-in-answer': async ({ signIns }, call) =>
    signIns.answer(
      call.caller,
      call.route.parameters.signin ?? '',
      schema.readSignInAnswer(await call.body()),
      call.ended(),
    ),
  'token-end': change(async ({ tokens }, call) => {
    if (call.token !== undefined) tokens.end(call.token);
    return { done: true };
  }),
  'key-begin': async ({ browserKeys }, call) => {
    const { name } = schema.readKeyBegin(await call.body());
    return browserKeys.begin(call.actor, accountOf(call), name);
  },
  'key-finish': async ({ browserKeys }, call) =>
    browserKeys.finish(
      call.actor,
      accountOf(call),
      call.route.parameters.key ?? '',
      schema.readAttestation(await call.body()),
    ),
  'approval-show': async ({ approvals }, call) =>
    approvals.show(approvalOf(call), schema.readSource(call.route.query).source),
  'approval-answer': async ({ approvals }, call) =>
    approvals.answer(approvalOf(call), schema.readApprovalAnswer(await call.body())),
  'approval-deny': change(async ({ approvals }, call) => approvals.deny(approvalOf(call))),
  'user-invite': async ({ admin }, call) => {
    const { withoutPassword } = schema.readInvite(await call.body());
    return admin.invite(call.actor, accountOf(call), withoutPassword);
  },
  'bypass-give': giveBypass,
  'factor-rename': async ({ admin }, call) => {
    const { name } = schema.readRename(await call.body());
    return admin.rename(call.actor, accountOf(call), factorOf(call), name);
  },
  'factor-enable': change(async ({ admin }, call) =>
    admin.setEnabled(call.actor, accountOf(call), factorOf(call), true),
  ),
  'factor-disable': costly(async ({ admin }, call, by) =>
    admin.setEnabled(call.actor, accountOf(call), factorOf(call), false, by),
  ),
  'factor-remove': costly(async ({ admin }, call, by) =>
    admin.remove(call.actor, accountOf(call), factorOf(call), by),
  ),
  verify: async ({ verifier }, call) => verify(verifier, call, schema.readVerify(await call.body())),
  explain: async ({ admin }, call) => admin.explain(accountOf(call), schema.readExplain(call.route.query)),
  'audit-read': async ({ admin }, call) => {
    const query = schema.readAudit(call.route.query);
    const { account } = call;
    const after = account !== undefined && call.isOwnOnly ? await admin.endOfOthers(account) : undefined;
    const page = await admin.audit(account === undefined ? query : { ...query, user: account }, after);
    return call.hearsOfCodesToCome ? page : { ...page, events: page.events.map(withoutCodeToCome) };
  },
  'audit-verify': async ({ admin }, call) => admin.checkTrail(schema.readTrail(call.route.query)),
};

/** Takes neither query nor body. */
function plain(handler: Handler): Handler {
  return async (options, call) => {
    schema.readNoQuery(call.route.query);
    return handler(options, call);
  };
}

/** Takes no query, and only an empty body. */
function change(handler: Handler): Handler {
  return plain(async (options, call) => {
    schema.readNothing(await call.body());
    return handler(options, call);
  });
}

/** Takes a query that says whether the impact is confirmed, and only an empty body. */
function costly(handler: (options: HandlerOptions, call: Call, by: ChangedBy) => Promise<unknown>): Handler {
  return async (options, call) => {
    const { isSelf } = call;
    const isConfirmed = schema.readConfirmed(call.route.query);
    schema.readNothing(await call.body());
    return handler(options, call, { isSelf, isConfirmed });
  };
}

async function verify(verifier: Pick<Verifier, 'verify'>, call: Call, body: VerifyBody): Promise<VerifyView> {
  const answer = Buffer.from(body.answer);
  const previous = body.previous === undefined ? undefined : Buffer.from(body.previous);
  try {
    const request = { actor: call.actor, user: accountOf(call), answer };
    return await verifier.verify(previous === undefined ? request : { ...request, previous }, call.ended());
  } finally {
    answer.fill(0);
    previous?.fill(0);
  }
}

/** The path of these operations has a user, so authorisation found an account. */
function accountOf(call: Call): string {
  return call.account ?? '';
}

function approvalOf(call: Call): string {
  return call.route.parameters.approval ?? '';
}

function ceremonyOf(call: Call): string {
  return call.route.parameters.ceremony ?? '';
}

function factorOf(call: Call): string {
  return call.route.parameters.factor ?? '';
}
