import type { Rule, Source } from '../config/contract.ts';
import { credentialOf, type FactorRecord, kindOf, sshKeyOf, summaryOf } from '../factors/kinds.ts';
import { unreachable } from '../lib/errors.ts';
import { formatNetwork } from '../lib/network.ts';
import { formatDuration } from '../lib/units.ts';
import type { LoginFacts } from './contract.ts';
import { decide } from './decide.ts';
import { type Decision, type DecisionInput, date } from './decision.ts';
import { ifEnforced } from './observe-mode.ts';
import { factorOwnerOf, possibleRules } from './realm.ts';
import { secretsText } from './secrets.ts';

/** Explains the decision about a login, with the same code that decides logins. */
export interface Explanation {
  readonly decision: Decision['kind'];
  readonly why: string;
  readonly realm: string;
  readonly membershipReason: string;
  /** The matching rule: "ask", as text, and its line. */
  readonly rule?: { readonly line: number; readonly text: string };
  readonly file: string;
  /** The line of the file that made the decision. */
  readonly line: number;
  readonly detail: string;
  /** why = observed: the decision if the realm were not in observe mode. */
  readonly would?: { readonly decision: Decision['kind']; readonly why: string };
  /** For people, one fact per line. */
  readonly lines: readonly string[];
}

export function explain(question: DecisionInput): Explanation {
  const { config, account, facts } = question;
  const decision = decide(question);
  const { realm, membershipReason, rule, line, detail } = decision;
  const why = whyOf(decision);
  const enforced = ifEnforced(decision);
  const realmLine = config.realms.find((candidate) => candidate.name === realm)?.line ?? line;
  const text = rule === undefined ? undefined : ruleText(rule);
  const rows: [string, string][] = [
    ['account', `${account.name} (uid ${account.uid})`],
    ['login', `${loginText(facts)}${keysText(question)}`],
    ['realm', `${realm} (${config.file}:${realmLine})`],
    ['member', membershipReason],
    ['factors', factorsText(question, realm)],
    ['rule', rule === undefined ? noRule(question, realm) : `${text} (${config.file}:${rule.line})`],
    ['decision', `${headline(decision)}: ${detail}`],
    ['decided by', `${config.file}:${line}`],
    ...(showsSecrets(question, decision)
      ? [['secrets', secretsText(facts, config)] as [string, string]]
      : []),
  ];
  return {
    decision: decision.kind,
    why,
    realm,
    membershipReason,
    ...(rule !== undefined && text !== undefined && { rule: { line: rule.line, text } }),
    file: config.file,
    line,
    detail,
    ...(enforced !== decision && { would: { decision: enforced.kind, why: whyOf(enforced) } }),
    lines: rows.map(([name, value]) => `${name.padEnd(10)}  ${printable(value)}`),
  };
}

/** Rules that are ignored because the source is unknown; the rest of the decision does not show them. */
function noRule({ config, facts }: DecisionInput, realmName: string): string {
  const { rules = [] } = config.realms.find(({ name }) => name === realmName) ?? {};
  const lines = facts.rootSocket ? possibleRules(rules, facts).map(({ line }) => line) : [];
  if (lines.length === 0) return 'none matches';
  const which = `${lines.length === 1 ? 'line' : 'lines'} ${lines.join(', ')}`;
  return `no rule certainly matches: ${which} might, but the source address of this login is not known`;
}

function whyOf(decision: Decision): string {
  return decision.kind === 'ask' ? 'ask' : decision.why;
}

function headline(decision: Decision): string {
  switch (decision.kind) {
    case 'not-needed':
      return decision.would === undefined
        ? 'no second factor is needed'
        : `allowed, since the realm is in observe mode; otherwise ${headline(decision.would)}`;
    case 'accept':
      return 'nothing is asked: the key that was used is the second factor';
    case 'ask':
      return 'a second factor is asked for';
    case 'enrol':
      return 'a first factor is added in the login';
    case 'refused':
      return `refused (${decision.why})`;
    default:
      return unreachable(decision);
  }
}

function loginText(facts: LoginFacts): string {
  const from =
    facts.source ?? (facts.rhost === undefined ? undefined : `${facts.rhost}, which is not an address`);
  const place = from === undefined ? (facts.local ? 'local' : 'from an unknown source') : `from ${from}`;
  const tty = facts.tty === undefined ? '' : ` on ${facts.tty}`;
  const unverified = facts.firstFactorVerified ? '' : ', first factor not verified';
  const socket = facts.rootSocket ? '' : ', over pam-user.sock, where no rule matches';
  return `${facts.service} ${place}${tty}${unverified}${socket}`;
}

/** Whether such a login has a secret to show, in any way: a new seed, or the link of an approval. */
function showsSecrets({ config }: DecisionInput, decision: Decision): boolean {
  const enforced = ifEnforced(decision);
  if (enforced.kind === 'ask') return enforced.factors.some((factor) => credentialOf(factor) !== undefined);
  const realm = config.realms.find(({ name }) => name === enforced.realm);
  return enforced.kind === 'enrol' || (whyOf(enforced) === 'no-factor' && realm?.enrol === 'at-login');
}

function keysText({ facts, state }: DecisionInput): string {
  return (facts.sshKeys ?? [])
    .map((key) => {
      const enrolled = state.factors.find((factor) => sshKeyOf(factor) === key);
      const which = enrolled === undefined ? 'of SSH that is not enrolled' : `"${enrolled.name}"`;
      return `, with the security key ${which}`;
    })
    .join('');
}

function factorsText(question: DecisionInput, realmName: string): string {
  const realm = question.config.realms.find((candidate) => candidate.name === realmName);
  const whose =
    realm !== undefined && factorOwnerOf(realm, question.facts) === 'caller' ? ', of the caller of su' : '';
  const { factors } = question.state;
  if (factors.length === 0) return `none${whose}`;
  const each = factors.map((factor) => `${factor.kind} "${factor.name}"${stateOf(factor, question.now)}`);
  return `${each.join(', ')}${whose}`;
}

function stateOf(factor: FactorRecord, now: number): string {
  if (!factor.enabled) return ' (disabled)';
  const { heldUntil: until } = summaryOf(factor);
  if (until !== undefined && until > now) return ` (restored: its codes are accepted from ${date(until)} on)`;
  return kindOf(factor).usable(factor, now) ? '' : ' (no longer valid)';
}

/** "skip for sshd from 10.0.0.0/8, local". */
export function ruleText(rule: Rule): string {
  const services = rule.services === undefined ? '' : ` for ${rule.services.join(', ')}`;
  const from = rule.from === undefined ? '' : ` from ${rule.from.map(sourceText).join(', ')}`;
  return `${actionText(rule.action)}${services}${from}`;
}

function actionText(action: Rule['action']): string {
  switch (action.kind) {
    case 'remember':
      return `remember for ${formatDuration(action.forMs)}`;
    case 'accept':
      return `accept ${action.factor}`;
    case 'skip':
    case 'ask':
    case 'refuse':
      return action.kind;
    default:
      return unreachable(action);
  }
}

function sourceText(source: Source): string {
  return source.kind === 'local' ? 'local' : formatNetwork(source);
}

/** Names come from directories and callers, so control characters are replaced: they must not steer a terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
}
