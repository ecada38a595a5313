import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { auditKinds, auditOutcomes } from '../../../daemon/audit/event.ts';
import { type AuditReason, auditReasons } from '../../../daemon/audit/reasons.ts';
import type { RejectReason } from '../../../daemon/factors/contract.ts';
import type { PasswordVerdict } from '../../../daemon/host/contract.ts';
import type { NotNeededReason, RefusedReason } from '../../../daemon/policy/decision.ts';
import { refusals } from '../../../daemon/policy/decision.ts';
import type { AbandonReason } from '../../../daemon/verifier/contract.ts';
import type { RefusalReason } from '../../../daemon/verifier/refusal-texts.ts';
import { noticeNames } from '../../../notify/notices.ts';
import { projectRoot, writtenFiles } from '../../support/project.ts';

const page = readFileSync(join(projectRoot, 'docs/reference/audit-events.md'), 'utf8');

/** The rows of the first table after a heading, or after a table head. */
function rowsBehind(mark: string): ReadonlyMap<string, string> {
  const [, text = ''] = page.split(`\n${mark}\n`);
  const rows = new Map<string, string>();
  for (const line of text.slice(text.indexOf('|---')).split('\n').slice(1)) {
    const [, name, meaning] = /^\| `([a-z0-9-]+)` \| (.+) \|$/.exec(line) ?? [];
    if (name === undefined) break;
    rows.set(name, meaning ?? '');
  }
  return rows;
}

/** Compiles only while the page has every reason of the code. */
type Said =
  | NotNeededReason
  | RefusedReason
  | RefusalReason
  | RejectReason
  | AbandonReason
  | `password-${Exclude<PasswordVerdict, 'right'>}`;
const known = (reason: Said): AuditReason => reason;

describe('docs/reference/audit-events.md', () => {
  it('has every kind and every outcome, and no other', () => {
    assert.deepEqual([...rowsBehind('### Kinds').keys()], [...auditKinds]);
    assert.deepEqual([...rowsBehind('### Outcomes').keys()], [...auditOutcomes]);
  });

  it('has every reason with its meaning, and no other', () => {
    assert.deepEqual(Object.fromEntries(rowsBehind('### Reasons')), { ...auditReasons });
    for (const why of Object.keys(refusals) as RefusedReason[]) assert.ok(known(why) in auditReasons, why);
  });

  it('has every reason exactly as in the code', () => {
    const found = writtenFiles('daemon')
      .filter((path) =>
        /^daemon\/(admin|authenticators|control|enrolment|sign-in|store|verifier)\//.test(path),
      )
      .flatMap((path) => {
        const text = readFileSync(join(projectRoot, path), 'utf8').replace(/===? '[^']*'/g, '');
        const said = /\b(?:reason: |no\()[^,\n;]*?'([a-z-]+)'(?: : '([a-z-]+)')?/g;
        return [...text.matchAll(said)].flatMap(([, one, other]) =>
          [one, other].filter((reason): reason is string => reason !== undefined),
        );
      });
    assert.ok(found.length > 15, `only ${found.length} found`);
    assert.deepEqual(
      found.filter((reason) => !(reason in auditReasons)),
      [],
    );
  });

  it('has every notice of the hook, and no other', () => {
    assert.deepEqual([...rowsBehind('## Notices').keys()], [...noticeNames]);
  });
});
