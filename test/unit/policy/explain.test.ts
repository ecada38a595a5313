import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Explanation, explain } from '../../../daemon/policy/explain.ts';
import {
  config,
  disabled,
  facts,
  members,
  now,
  onTerminal,
  overUserSocket,
  question,
  realm,
  remember,
  rule,
  state,
  totp,
} from './support.ts';

const line = (explanation: Explanation, name: string) =>
  explanation.lines.find((text) => text.startsWith(name))?.slice(12);

describe('explain', () => {
  const staff = realm({
    name: 'staff',
    line: 12,
    members: members({ groups: ['staff'] }),
    rules: [
      rule(
        { kind: 'skip' },
        {
          line: 22,
          services: ['sshd', 'login'],
          from: [{ kind: 'network', family: 'ipv4', address: '10.0.0.0', prefix: 8 }, { kind: 'local' }],
        },
      ),
      rule(remember, { line: 27, services: ['sudo'] }),
    ],
  });
  const asked = {
    config: config(staff, realm({ name: 'default', line: 40, require: 'none' })),
    groups: new Map([['staff', 'member' as const]]),
    state: state({ factors: [totp, { ...disabled(totp), id: 't2', name: 'old phone' }] }),
  };

  it('reports that the source is unknown, and which rule therefore matches or not', () => {
    const { source: _, ...named } = facts({ rhost: 'host.example' });
    const skipped = explain(question({ ...asked, facts: named }));
    assert.match(line(skipped, 'login') ?? '', /host\.example, which is not an address/);
    assert.match(line(skipped, 'rule') ?? '', /line 22 might, but the source address .* is not known/);
    const from = [{ kind: 'network', family: 'ipv4', address: '10.0.0.0', prefix: 8 }] as const;
    const refusing = realm({ rules: [rule({ kind: 'refuse' }, { line: 9, from })] });
    const refused = explain(question({ realm: refusing, facts: named }));
    assert.equal(refused.why, 'rule-refuse');
    assert.match(line(refused, 'decision') ?? '', /the source address of this login is not known/);
    const known = explain(question({ realm: refusing, facts: facts({ source: '10.1.2.3' }) }));
    assert.match(line(known, 'decision') ?? '', /refuses this service from this source/);
  });

  it('reports realm, membership, rule, decision and the line of the file that decided', () => {
    const reported = explain(question({ ...asked, facts: facts({ source: '10.1.2.3' }) }));
    assert.deepEqual(reported.lines, [
      'account     alice (uid 1000)',
      'login       sshd from 10.1.2.3 on ssh',
      'realm       staff (/etc/sallyport/sallyport.toml:12)',
      'member      group staff',
      'factors     totp "phone", totp "old phone" (disabled)',
      'rule        skip for sshd, login from 10.0.0.0/8, local (/etc/sallyport/sallyport.toml:22)',
      'decision    no second factor is needed: a rule exempts this service from this source',
      'decided by  /etc/sallyport/sallyport.toml:22',
    ]);
    assert.deepEqual(
      { ...reported, lines: [] },
      {
        decision: 'not-needed',
        why: 'rule-skip',
        realm: 'staff',
        membershipReason: 'group staff',
        rule: { line: 22, text: 'skip for sshd, login from 10.0.0.0/8, local' },
        file: '/etc/sallyport/sallyport.toml',
        line: 22,
        detail: 'a rule exempts this service from this source',
        lines: [],
      },
    );
  });

  it('reports which factors are accepted', () => {
    const reported = explain(question({ ...asked, facts: onTerminal() }));
    assert.equal(line(reported, 'rule'), 'remember for 15m for sudo (/etc/sallyport/sallyport.toml:27)');
    assert.equal(
      line(reported, 'decision'),
      'a second factor is asked for: any one of these is accepted: totp "phone"',
    );
    assert.equal(reported.line, 27);
  });

  it('reports a group that does not resolve, and the realm that it affects', () => {
    const reported = explain(question({ ...asked, groups: new Map() }));
    assert.equal(reported.decision, 'refused');
    assert.equal(reported.why, 'groups-unresolved');
    assert.equal(reported.line, 12);
    assert.match(line(reported, 'decision') ?? '', /group staff .* does not resolve/);
  });

  it('reports that a name is not an address, and that no rule matches on pam-user.sock', () => {
    const { source: _, ...named } = facts({ rhost: 'host.example' });
    assert.match(
      line(explain(question({ ...asked, facts: named })), 'login') ?? '',
      /host\.example, which is not an address/,
    );
    const reported = explain(question({ ...asked, facts: facts(overUserSocket) }));
    assert.match(line(reported, 'login') ?? '', /pam-user\.sock, where no rule matches/);
    assert.equal(line(reported, 'rule'), 'none matches');
  });

  it('reports until when a lockout or a grace period lasts', () => {
    const lock = { codes: 0, any: 100, lockedAt: now };
    const reported = explain(question({ state: state({ factors: [totp], lock }) }));
    assert.match(reported.detail, /locked until 2026-06-15 13:00 UTC/);
    const grace = realm({ enrol: 'grace', graceMs: 14 * 86_400_000 });
    assert.match(
      explain(question({ realm: grace })).detail,
      /14d begins with this login .* 2026-06-29 12:00 UTC/,
    );
  });

  it('reports where a new secret or a link would be shown', () => {
    const secretsIn = (part: Parameters<typeof question>[0]) => line(explain(question(part)), 'secrets');
    const atLogin = realm({ enrol: 'at-login' });
    assert.equal(secretsIn({ realm: atLogin }), 'shown over ssh');
    assert.equal(
      secretsIn({ realm: atLogin, facts: onTerminal({ reachesPerson: true }) }),
      'shown at the terminal',
    );
    const cockpit = facts({ service: 'cockpit', reachesPerson: false });
    assert.match(secretsIn({ realm: atLogin, facts: cockpit }) ?? '', /^not shown: output of cockpit/);
    const allowed = { ...config(atLogin), secretsIn: ['cockpit'] };
    assert.equal(secretsIn({ config: allowed, facts: cockpit }), 'shown: secrets_in names cockpit');
    assert.equal(secretsIn({ realm: atLogin, state: state({ factors: [totp] }) }), undefined);
    assert.equal(secretsIn({}), undefined);
  });

  it('contains no control characters from names', () => {
    const reported = explain(question({ account: { name: 'a\u001b[2J\u009b\u202e', uid: 1, gid: 1 } }));
    for (const text of reported.lines) assert.doesNotMatch(text, /[\p{Cc}\p{Cf}]/u);
  });
});
