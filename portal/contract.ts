import type { BypassView } from '../daemon/api/account-views.ts';
import type {
  ApprovalAnswerBody,
  ApprovalOutcome,
  ApprovalView,
  AttestationBody,
  CreationOptionsView,
  LinkView,
  PersonView,
  SignInAnswerBody,
  SignInBody,
  SignInStep,
} from '../daemon/api/sign-in-views.ts';
import type {
  AuditPage,
  ChangeView,
  EnrolBody,
  EnrolView,
  StoredAuditEvent,
  UserPage,
  UserView,
} from '../daemon/api/views.ts';

/** Whether the user has read the impact of the change and confirms it. */
export interface Confirmed {
  readonly confirmed?: 'true' | undefined;
}

/**
 * Between the portal's server and its pages: JSON over HTTPS, each route with what it takes and gives. The session is a
 * cookie that no script reads; tokens never reach the browser. An error is `{ error: { code, message } }` with the
 * codes of control.sock and `signed-out`, `confirm-needed` (a change needs password and factor of the last five
 * minutes: /api/confirm, then again), `origin` and `too-many-attempts`.
 */
export interface PortalApi {
  'GET /api/session': { readonly gives: SessionView };
  'POST /api/sign-in': { readonly takes: SignInBody; readonly gives: SignInReply };
  /** Also for the sign-in that /api/confirm began. */
  'POST /api/sign-in/:id': { readonly takes: SignInAnswerBody; readonly gives: SignInReply };
  'POST /api/confirm': { readonly takes: Confirmation; readonly gives: SignInReply };
  'POST /api/sign-out': { readonly gives: Done };

  /** The user's own account; any account for an administrator. */
  'GET /api/users/:user': { readonly gives: UserView };
  'POST /api/users/:user/factors': { readonly takes: EnrolBody; readonly gives: EnrolView };
  'POST /api/users/:user/factors/:factor/rename': {
    readonly takes: { readonly name: string };
    readonly gives: ChangeView;
  };
  'POST /api/users/:user/factors/:factor/enable': { readonly gives: ChangeView };
  'POST /api/users/:user/factors/:factor/disable': { readonly query: Confirmed; readonly gives: ChangeView };
  'DELETE /api/users/:user/factors/:factor': { readonly query: Confirmed; readonly gives: ChangeView };
  /** A security key of the browser: the credential request, and its response. */
  'POST /api/users/:user/keys': {
    readonly takes: { readonly name?: string };
    readonly gives: { readonly id: string; readonly options: CreationOptionsView };
  };
  'POST /api/users/:user/keys/:id': { readonly takes: AttestationBody; readonly gives: EnrolView };

  /** Without signing in: the link is the secret, so its id is in the body; proxies log paths. */
  'POST /api/approvals/show': { readonly takes: ApprovalId; readonly gives: ApprovalView };
  'POST /api/approvals/answer': {
    readonly takes: ApprovalId & ApprovalAnswerBody;
    readonly gives: ApprovalOutcome;
  };
  'POST /api/approvals/deny': { readonly takes: ApprovalId; readonly gives: ApprovalOutcome };

  /** Administrators only. `search` is a prefix of a name. */
  'GET /api/users': {
    readonly query: { readonly after?: string; readonly search?: string; readonly limit?: string };
    readonly gives: UserPage;
  };
  'POST /api/users/:user/unlock': { readonly gives: ChangeView };
  /** A bypass code for one login of another account, valid for one hour. */
  'POST /api/users/:user/bypass': { readonly gives: BypassView };
  'POST /api/users/:user/invite': {
    readonly takes: { readonly withoutPassword: boolean };
    readonly gives: LinkView;
  };
  'GET /api/audit': {
    readonly query: { readonly user?: string; readonly from?: string; readonly limit?: string };
    readonly gives: AuditPage;
  };
}

export interface ApprovalId {
  readonly id: string;
}

export interface Done {
  readonly done: true;
}

export interface SessionView {
  /** Null without a session. */
  readonly person: PersonView | null;
  /** Until then changes need no password; milliseconds since the epoch. */
  readonly changesUntil?: number;
  readonly readsUntil?: number;
  readonly site: { readonly name: string; readonly host: string; readonly rpId: string };
}

/** As SignInView, without the token, which stays with the server. */
export interface SignInReply {
  readonly id: string;
  readonly step:
    | Exclude<SignInStep, { kind: 'done' | 'link' }>
    | { readonly kind: 'done'; readonly session: SessionView; readonly text?: string };
}

/** What comes over the WebSocket /api/live, one JSON message each. */
export type LiveMessage =
  /** A login of this user waits: its number has to be typed. */
  | { readonly kind: 'approval'; readonly approval: ApprovalView }
  | { readonly kind: 'approval-over'; readonly id: string }
  | { readonly kind: 'signed-out' }
  /** Administrators who sent `{ "kind": "follow-audit" }`. */
  | { readonly kind: 'audit'; readonly event: StoredAuditEvent };

/** Before a change. Accounts without a password have a sign-in link in its place. */
export type Confirmation = { readonly password: string } | { readonly link: string };
