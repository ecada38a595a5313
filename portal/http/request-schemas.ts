import * as v from 'valibot';
import type {
  ApprovalAnswerBody,
  AttestationBody,
  SignInAnswerBody,
  SignInBody,
} from '../../daemon/api/sign-in-views.ts';
import type { ApprovalId, Confirmation } from '../contract.ts';
import { limits } from '../limits.ts';
import { PortalError } from './errors.ts';

/**
 * The bodies of requests. sallyportd validates them again.
 *
 * Invariants: only the fields named here are passed on, so that a browser cannot state its own source, or request what
 * only a local uid may (`by: "uid"`); messages never quote the request.
 */

const text = (most: number) => v.pipe(v.string(), v.minBytes(1), v.maxBytes(most));
const base64url = (most: number) => v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]+$/), v.maxLength(most));
const password = text(limits.passwordLength);

const signInBody = v.variant('by', [
  v.strictObject({ by: v.literal('password'), user: text(limits.userLength), password }),
  v.strictObject({
    by: v.literal('link'),
    user: text(limits.userLength),
    link: text(limits.linkLength),
    password: v.exactOptional(password),
  }),
]);

/** Accounts without a password use a sign-in link instead. */
const confirmBody = v.union([
  v.strictObject({ password }),
  v.strictObject({ link: text(limits.linkLength) }),
]);

/** A credential ID has at most 1 023 bytes; other fields may be twice as long as security keys make them. */
const assertion = {
  credentialId: base64url(1_364),
  clientDataJSON: base64url(8_192),
  authenticatorData: base64url(8_192),
  signature: base64url(2_048),
};

const answerBody = v.variant('kind', [
  v.strictObject({ kind: v.literal('typed'), answer: text(limits.answerLength) }),
  v.strictObject({ kind: v.literal('assertion'), ...assertion }),
]);

/** As in the paths of control.sock. */
const approvalId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]+$/), v.maxLength(limits.idLength));
const approvalIdBody = v.strictObject({ id: approvalId });
const approvalBody = v.strictObject({
  id: approvalId,
  ...assertion,
  number: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9]{1,4}$/))),
});

const attestationBody = v.strictObject({
  credentialId: base64url(1_364),
  clientDataJSON: base64url(8_192),
  attestationObject: base64url(49_152),
  transports: v.pipe(v.array(text(32)), v.maxLength(8)),
});

const name = v.pipe(v.string(), v.maxBytes(limits.nameLength));

export type BrowserSignIn = Exclude<SignInBody, { by: 'uid' }>;

export const readSignIn = (input: unknown): BrowserSignIn => check(signInBody, input);
export const readAnswer = (input: unknown): SignInAnswerBody => check(answerBody, input);
export const readConfirm = (input: unknown): Confirmation => check(confirmBody, input);
export const readApproval = (input: unknown): ApprovalId & ApprovalAnswerBody => check(approvalBody, input);
export const readApprovalId = (input: unknown): ApprovalId => check(approvalIdBody, input);
export const readAttestation = (input: unknown): AttestationBody => check(attestationBody, input);
export const readKey = (input: unknown): { readonly name?: string } =>
  check(v.strictObject({ name: v.exactOptional(name) }), input ?? {});
export const readRename = (input: unknown): { readonly name: string } =>
  check(v.strictObject({ name }), input);
export const readInvite = (input: unknown): { readonly withoutPassword: boolean } =>
  check(v.strictObject({ withoutPassword: v.boolean() }), input);
/** For requests without a body; an empty object counts as no body. */
export const readNothing = (input: unknown): void => void check(v.strictObject({}), input ?? {});

function check<S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, input, { abortEarly: true, abortPipeEarly: true });
  if (result.success) return result.output;
  // The field's name is ours only if the fault is in the value of a known field.
  const [issue] = result.issues;
  const field = issue.type === 'strict_object' ? null : v.getDotPath(issue);
  const where = field === null ? 'the body of the request' : `"${field}" in the body of the request`;
  throw new PortalError(
    'bad-request',
    `${where} is not what this version of the portal expects; reload the page`,
  );
}
