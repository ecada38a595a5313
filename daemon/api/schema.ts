import * as v from 'valibot';
import { auditKinds, auditOutcomes } from '../audit/event.ts';
import { bypassRequest } from '../factors/bypass.ts';
import { type NewFactor, requestSchema } from '../factors/kinds.ts';
import { SallyportError } from '../lib/errors.ts';
import { parseNetwork } from '../lib/network.ts';
import { limits } from '../limits.ts';
import type { EnrolRequest } from '../verifier/contract.ts';
import type { ExemptBody, MoveBody } from './account-views.ts';
import type { ApprovalAnswerBody, AttestationBody, SignInAnswerBody, SignInBody } from './sign-in-views.ts';
import type { AuditQuery, EnrolBody, ExplainQuery, FollowQuery, TrailQuery, VerifyBody } from './views.ts';

/** Nothing but a message's own words: valibot's texts quote what was sent, and that may be a secret. */
const text = (most: number) => v.pipe(v.string(), v.maxBytes(most));
const code = v.pipe(v.string(), v.minBytes(1), v.maxBytes(limits.answerLength));
/** A request holds more than a name may, so that the message about a long name is the one about names. */
const name = v.exactOptional(text(4 * limits.factorNameLength));
const proof = {
  name,
  code: v.exactOptional(
    v.pipe(
      code,
      v.transform((typed): Buffer => Buffer.from(typed)),
    ),
  ),
  verify: v.boolean(),
};

/** A request that adds a factor, in the bytes that the verifier wipes. */
export type EnrolInput = Omit<EnrolRequest, 'actor' | 'user' | 'kind'> & NewFactor<'code' | 'touch' | 'none'>;
const enrolBody = requestSchema({
  code: proof,
  none: proof,
  // With a touch it is a ceremony.
  touch: { name, verify: v.literal(false) },
}) as v.GenericSchema<unknown, EnrolInput>;
export type CeremonyInput = Pick<EnrolInput, 'name'> & NewFactor<'making' | 'touch'>;
const ceremonyBody = requestSchema({ making: { name }, touch: { name } }) as v.GenericSchema<
  unknown,
  CeremonyInput
>;
/** CTAP 2.1, 6.5.1: a PIN has at most 63 bytes. */
const ceremonyNextBody = v.strictObject({
  seen: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  pin: v.exactOptional(v.pipe(v.string(), v.minBytes(1), v.maxBytes(63))),
});

/** What a browser sends of a key: certificates are the longest of it. */
const binary = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]*$/), v.maxLength(limits.browserAnswer));
const credentialId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]+$/), v.maxLength(limits.credentialIdText));
const assertion = {
  credentialId,
  clientDataJSON: binary,
  authenticatorData: binary,
  signature: binary,
};
const signInCommon = { user: text(limits.userLength), source: v.exactOptional(text(limits.rhostLength)) };
const password = v.pipe(text(limits.answerLength), v.minBytes(1));
const signInBody = v.variant('by', [
  v.strictObject({ ...signInCommon, by: v.literal('password'), password }),
  v.strictObject({
    ...signInCommon,
    by: v.literal('link'),
    link: text(limits.linkLength),
    password: v.exactOptional(password),
  }),
  v.strictObject({ ...signInCommon, by: v.literal('uid') }),
]);
const portalSettingsBody = v.strictObject({ digest: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) });
const signInAnswerBody = v.variant('kind', [
  v.strictObject({ kind: v.literal('typed'), answer: code }),
  v.strictObject({ kind: v.literal('assertion'), ...assertion }),
]);
/** The origin is what the portal was asked on; what counts is what the key signs. */
const keyBeginBody = v.strictObject({ name, origin: v.exactOptional(text(limits.rhostLength)) });
const attestationBody = v.strictObject({
  credentialId,
  clientDataJSON: binary,
  attestationObject: binary,
  transports: v.pipe(v.array(text(32)), v.maxLength(8)),
});
const approvalAnswerBody = v.strictObject({
  ...assertion,
  number: v.exactOptional(v.pipe(v.string(), v.regex(/^\d{1,4}$/))),
  source: v.exactOptional(text(limits.rhostLength)),
});
const inviteBody = v.strictObject({ withoutPassword: v.boolean() });
const sourceQuery = v.strictObject({ source: v.exactOptional(text(limits.rhostLength)) });

const verifyBody = v.strictObject({ answer: code, previous: v.exactOptional(code) });
const renameBody = v.strictObject({ name: text(4 * limits.factorNameLength) });
const emptyBody = v.strictObject({});

const whole = v.pipe(v.string(), v.regex(/^\d{1,16}$/), v.transform(Number), v.safeInteger());
const userQuery = v.exactOptional(text(limits.userLength));
const explainQuery = v.strictObject({
  service: v.pipe(text(limits.serviceLength), v.minBytes(1)),
  from: v.exactOptional(text(limits.rhostLength)),
  tty: v.exactOptional(text(limits.ttyLength)),
  sshKey: v.exactOptional(text(limits.sshKeyText)),
});
const eventQuery = {
  user: userQuery,
  realm: v.exactOptional(text(limits.realmLength)),
  service: v.exactOptional(text(limits.serviceLength)),
  source: v.exactOptional(v.pipe(text(limits.rhostLength), v.check(isSource))),
  outcome: v.exactOptional(v.picklist(auditOutcomes)),
  kind: v.exactOptional(v.picklist(auditKinds)),
  from: v.exactOptional(whole),
};
const auditQuery = v.strictObject({
  ...eventQuery,
  since: v.exactOptional(whole),
  until: v.exactOptional(whole),
  limit: v.exactOptional(v.pipe(whole, v.minValue(1), v.maxValue(limits.pageSize)), '100'),
});
const followQuery = v.strictObject(eventQuery);
const trailQuery = v.strictObject({ from: v.exactOptional(whole), linkOf: v.exactOptional(whole) });
const pageQuery = v.strictObject({
  after: v.exactOptional(text(limits.userLength)),
  search: v.exactOptional(v.pipe(text(limits.userLength), v.minBytes(1))),
  lookUp: v.exactOptional(
    v.pipe(
      v.literal('true'),
      v.transform(() => true),
    ),
  ),
  limit: v.exactOptional(v.pipe(whole, v.minValue(1), v.maxValue(limits.pageSize)), '100'),
});
const noQuery = v.strictObject({});
const confirmedQuery = v.strictObject({ confirmed: v.exactOptional(v.literal('true')) });

type Input = unknown;

export const readEnrol = (input: Input): EnrolInput => check(enrolBody, input);
/** Checks a request that is passed on as it is. */
export const checkEnrol = (input: Input): EnrolBody => {
  wipeBytes(readEnrol(input));
  // What was read is what it says: no field has a default.
  return input as EnrolBody;
};
/** Wipes the secrets of a request that was read. */
export function wipeBytes(read: object): void {
  for (const value of Object.values(read)) if (Buffer.isBuffer(value)) value.fill(0);
}
export const readCeremony = (input: Input): CeremonyInput => check(ceremonyBody, input);
export const readCeremonyNext = (input: Input): { readonly seen: number; readonly pin?: string } =>
  check(ceremonyNextBody, input);
export const readPortalSettings = (input: Input): { readonly digest: string } =>
  check(portalSettingsBody, input);
export const readSignIn = (input: Input): SignInBody => check(signInBody, input);
export const readSignInAnswer = (input: Input): SignInAnswerBody => check(signInAnswerBody, input);
export const readKeyBegin = (input: Input): { readonly name?: string } => check(keyBeginBody, input);
export const readAttestation = (input: Input): AttestationBody => check(attestationBody, input);
export const readApprovalAnswer = (input: Input): ApprovalAnswerBody => check(approvalAnswerBody, input);
export const readInvite = (input: Input): { readonly withoutPassword: boolean } => check(inviteBody, input);
export const readSource = (query: Input): { readonly source?: string } => check(sourceQuery, query);
export const readVerify = (input: Input): VerifyBody => check(verifyBody, input);
export const readRename = (input: Input): { readonly name: string } => check(renameBody, input);
export const readNothing = (input: Input): void => void check(emptyBody, input ?? {});
export const readExplain = (query: Input): ExplainQuery => check(explainQuery, query);
export const readAudit = (query: Input): AuditQuery => check(auditQuery, query);
export const readFollow = (query: Input): FollowQuery => check(followQuery, query);
export const readTrail = (query: Input): TrailQuery => check(trailQuery, query);
export const readPage = (
  query: Input,
): {
  readonly after?: string;
  readonly search?: string;
  readonly limit: number;
  readonly lookUp?: boolean;
} => check(pageQuery, query);
export const readConfirmed = (query: Input): boolean => check(confirmedQuery, query).confirmed === 'true';
export const readNoQuery = (query: Input): void => void check(noQuery, query);

/** An address or a network in full, or a name. A network with host bits would find nothing. */
function isSource(value: string): boolean {
  const read = parseNetwork(value);
  return read.ok || read.why !== 'host-bits';
}

/**
 * @throws SallyportError bad-request: which field, and what kind of fault; never what was sent
 */
export function check<S extends v.GenericSchema>(schema: S, input: Input): v.InferOutput<S> {
  const result = v.safeParse(schema, input, { abortEarly: true, abortPipeEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue);
  const where =
    field === null ? 'the request' : `the field ${JSON.stringify(field.slice(0, 64))} of the request`;
  const strange = issue.expected === 'never';
  const wanted = issue.expected === null ? `fit (${issue.type})` : `be ${issue.expected}`;
  throw new SallyportError('bad-request', `${where} ${strange ? 'is not known' : `must ${wanted}`}`);
}

const service = v.pipe(v.string(), v.minBytes(1), v.maxBytes(limits.serviceLength));

const exemptBody = v.strictObject({
  until: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  services: v.exactOptional(v.pipe(v.array(service), v.minLength(1), v.maxLength(limits.exemption.services))),
  reason: v.exactOptional(v.pipe(v.string(), v.minBytes(1), v.maxBytes(limits.exemption.reasonLength))),
});

export const readExempt = (input: unknown): ExemptBody => check(exemptBody, input);

const moveBody = v.strictObject({
  to: v.pipe(v.string(), v.minBytes(1), v.maxBytes(limits.userLength)),
  confirmed: v.exactOptional(v.boolean()),
});

export const readMove = (input: unknown): MoveBody => check(moveBody, input);

const reportBody = v.strictObject({
  accounts: v.pipe(
    v.array(v.pipe(v.string(), v.minBytes(1), v.maxBytes(limits.userLength))),
    v.maxLength(limits.reportAccounts),
  ),
});

export const readReport = (input: unknown): readonly string[] => check(reportBody, input).accounts;

const { kind: bypassKind, ...bypassFields } = bypassRequest.entries;
const bypassBody = v.strictObject(bypassFields);

export const readBypass = (input: unknown): NewFactor<'issuer'> => ({
  kind: bypassKind.literal,
  ...check(bypassBody, input),
});

const backupBody = v.strictObject({ withMasterKey: v.boolean() });

export interface BackupBody {
  readonly withMasterKey: boolean;
}

/** @throws SallyportError bad-request */
export function readBackupBody(input: unknown): BackupBody {
  const result = v.safeParse(backupBody, input);
  if (result.success) return result.output;
  throw new SallyportError('bad-request', 'a backup is asked for with {"withMasterKey": true or false}');
}
