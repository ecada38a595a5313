import { type OperationName, operation } from '../api/operations.ts';
import { pathOf } from '../api/routes.ts';
import type {
  ApprovalAnswerBody,
  ApprovalOutcome,
  ApprovalView,
  AttestationBody,
  CreationOptionsView,
  LinkView,
  SignInAnswerBody,
  SignInBody,
  SignInView,
} from '../api/sign-in-views.ts';
import type { EnrolView } from '../api/views.ts';
import { ask, type ClientOptions, stream } from './transport.ts';

/** What the portal, and people without root, ask sallyportd. Every call may throw a ControlError. */
export interface SignInClient {
  beginSignIn(body: SignInBody): Promise<SignInView>;
  /** @param ended ends the request: the answer is then not accepted any more */
  answerSignIn(signIn: string, body: SignInAnswerBody, ended?: AbortSignal): Promise<SignInView>;
  /** Revokes the token that the client was created with. */
  endToken(): Promise<void>;
  /** @param origin of the page that asks: the one that the key will sign */
  beginKey(user: string, body: { readonly name?: string; readonly origin: string }): Promise<KeyBegun>;
  finishKey(user: string, key: string, body: AttestationBody): Promise<EnrolView>;
  /** @param source where the browser is */
  approval(id: string, source: string | undefined): Promise<ApprovalView>;
  answerApproval(
    id: string,
    body: ApprovalAnswerBody & { readonly source?: string },
  ): Promise<ApprovalOutcome>;
  denyApproval(id: string): Promise<ApprovalOutcome>;
  /** Those that wait now, and then as they come and go, until the daemon ends the stream. */
  followApprovals(user: string): AsyncIterable<ApprovalEvent>;
  invite(user: string, withoutPassword: boolean): Promise<LinkView>;
}

export interface KeyBegun {
  readonly id: string;
  readonly options: CreationOptionsView;
}

export type ApprovalEvent =
  | { readonly kind: 'approval'; readonly approval: ApprovalView }
  | { readonly kind: 'approval-over'; readonly id: string };

export function createSignInClient(options: ClientOptions): SignInClient {
  const at = (name: OperationName, parameters: Readonly<Record<string, string>> = {}) => {
    return { method: operation(name).method, path: pathOf(name, parameters) };
  };
  return {
    beginSignIn: (body) => ask(options, { ...at('sign-in-begin'), body }),
    answerSignIn: (signIn, body, ended) =>
      ask(ended === undefined ? options : { ...options, signal: ended }, {
        ...at('sign-in-answer', { signin: signIn }),
        body,
      }),
    endToken: async () => void (await ask(options, at('token-end'))),
    beginKey: (user, body) => ask(options, { ...at('key-begin', { user }), body }),
    finishKey: (user, key, body) => ask(options, { ...at('key-finish', { user, key }), body }),
    approval: (id, source) => ask(options, { ...at('approval-show', { approval: id }), query: { source } }),
    answerApproval: (id, body) => ask(options, { ...at('approval-answer', { approval: id }), body }),
    denyApproval: (id) => ask(options, { ...at('approval-deny', { approval: id }), body: {} }),
    followApprovals: (user) => stream(options, at('approval-follow', { user })),
    invite: (user, withoutPassword) =>
      ask(options, { ...at('user-invite', { user }), body: { withoutPassword } }),
  };
}
