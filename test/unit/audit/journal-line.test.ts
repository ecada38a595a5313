import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuditEvent } from '../../../daemon/audit/event.ts';
import { fitting } from '../../../daemon/audit/filter.ts';
import { formatJournalLine } from '../../../daemon/audit/journal-line.ts';
import { fc } from '../../support/property.ts';

const wrong: AuditEvent & { seq: number } = {
  kind: 'login',
  outcome: 'refused',
  reason: 'wrong',
  at: 1,
  seq: 42,
  account: 'alice',
  realm: 'staff',
  service: 'sshd',
  source: '192.0.2.7',
  tty: 'ssh',
  firstFactorVerified: true,
};

describe('the line of an event', () => {
  it('has its words in fixed positions', () => {
    assert.equal(
      formatJournalLine(wrong),
      'sallyport-audit: login refused reason=wrong from=192.0.2.7 service="sshd" account="alice" realm="staff" tty="ssh" firstFactorVerified=yes seq=42',
    );
    const factor = { id: 'x', kind: 'recovery', name: 'paper in the safe' };
    const used: AuditEvent = { ...wrong, outcome: 'success', reason: 'verified', factor, remaining: 0 };
    assert.match(
      formatJournalLine(used),
      / factor="recovery" name="paper\\x20in\\x20the\\x20safe" firstFactorVerified=yes remaining=0/,
    );
    assert.match(formatJournalLine({ ...wrong, locked: 'codes' }), / locked=codes seq=42$/);
    assert.match(formatJournalLine({ ...wrong, count: 57 }), / firstFactorVerified=yes count=57 seq=42$/);
    const seen: AuditEvent = { ...wrong, outcome: 'observed', reason: 'no-factor', would: 'refused' };
    assert.match(
      formatJournalLine(seen),
      /^sallyport-audit: login observed reason=no-factor .* would=refused seq=42$/,
    );
  });

  it('contains an address only if a program of root reported it', () => {
    const from = (event: Partial<AuditEvent>) =>
      / from=(\S+)/.exec(formatJournalLine({ ...wrong, ...event }))?.[1];
    assert.equal(from({}), '192.0.2.7');
    assert.equal(from({ source: '2001:db8::1' }), '2001:db8::1');
    assert.equal(from({ source: 'host.example' }), '-');
    assert.equal(from({ source: '192.0.2.7 ' }), '-');
    assert.equal(from({ source: 'fe80::1%eth0' }), '-');
    // A login over pam-user.sock: a user's own program may claim anything.
    assert.equal(from({ actor: 'uid:1000' }), '-');
    assert.match(formatJournalLine({ ...wrong, actor: 'uid:1000' }), / rhost="192\.0\.2\.7"/);
    const { source: _, ...local } = wrong;
    assert.match(formatJournalLine(local), / from=- /);
  });

  it('is one line of plain words without forgeries, whatever the event contains', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    const forged = fc.constantFrom(
      'x from=203.0.113.9 service="sshd"',
      'x"\nsallyport-audit: login refused reason=wrong from=203.0.113.9 service="',
      '" from=203.0.113.9 service="',
      '\\x22 from=203.0.113.9',
      '203.0.113.9\r\n',
      '\u2028from=203.0.113.9',
    );
    const any = fc.oneof(text, forged);
    fc.assert(
      fc.property(
        fc.record({ account: any, service: any, source: any, tty: any, realm: any, name: any }),
        (said) => {
          const { name, ...fields } = said;
          const line = formatJournalLine({ ...wrong, ...fields, factor: { id: 'i', kind: 'totp', name } });
          assert.match(
            line,
            /^sallyport-audit: login refused reason=wrong from=[0-9a-fA-F.:-]+( [a-zA-Z]+=("[A-Za-z0-9@._:+,/\\-]*"|[a-z0-9]+))*$/,
          );
          assert.equal(line.split(' from=').length, 2);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('a filter', () => {
  const from = (source: string, text: string) => fitting({ source })({ ...wrong, source: text });

  it('accepts an address, a network or a name as the source', () => {
    assert.ok(from('192.0.2.7', '192.0.2.7'));
    assert.ok(!from('192.0.2.7', '192.0.2.70'));
    assert.ok(from('192.0.2.0/24', '192.0.2.7'));
    assert.ok(!from('192.0.3.0/24', '192.0.2.7'));
    assert.ok(from('2001:DB8::/32', '2001:db8::5'));
    assert.ok(from('::ffff:192.0.2.7', '192.0.2.7'));
    assert.ok(from('Host.Example', 'host.example'));
    assert.ok(!from('host', 'host.example'));
    const { source: _, ...local } = wrong;
    assert.ok(!fitting({ source: '0.0.0.0/0' })(local));
  });

  it('combines all its conditions', () => {
    const all = {
      user: 'alice',
      realm: 'staff',
      service: 'sshd',
      outcome: 'refused',
      kind: 'login',
    } as const;
    assert.ok(fitting(all)(wrong));
    for (const key of ['user', 'realm', 'service'] as const)
      assert.ok(!fitting({ ...all, [key]: 'x' })(wrong), key);
    assert.ok(!fitting({ ...all, outcome: 'success' })(wrong));
    assert.ok(!fitting({ ...all, kind: 'factor-added' })(wrong));
    assert.ok(fitting({})(wrong));
  });
});
