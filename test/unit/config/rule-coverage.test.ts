import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Rule, Source } from '../../../daemon/config/contract.ts';
import { coveredBy } from '../../../daemon/config/rule-coverage.ts';
import { contains, parseNetwork } from '../../../daemon/lib/network.ts';
import { fc } from '../../support/property.ts';

function rule(line: number, services?: readonly string[], from?: readonly string[]): Rule {
  const sources = from?.map((text): Source => {
    if (text === 'local') return { kind: 'local' };
    const parsed = parseNetwork(text);
    assert.ok(parsed.ok);
    return { kind: 'network', ...parsed.network };
  });
  return {
    line,
    action: { kind: 'ask' },
    ...(services !== undefined && { services }),
    ...(sources !== undefined && { from: sources }),
  };
}

type Draft = [services?: readonly string[] | undefined, from?: readonly string[] | undefined];

describe('a rule that can never match', () => {
  const rows: [string, Draft[], Draft, number[] | undefined][] = [
    ['nothing before it', [], [], undefined],
    ['the same again', [[['sshd']]], [['sshd']], [1]],
    ['another service', [[['sshd']]], [['sudo']], undefined],
    ['one of two services left', [[['sshd']]], [['sshd', 'sudo']], undefined],
    ['both services taken by two rules', [[['sshd']], [['sudo']]], [['sshd', 'sudo']], [1, 2]],
    ['every service behind a list of some', [[['sshd']]], [], undefined],
    ['a smaller network', [[undefined, ['10.0.0.0/8']]], [undefined, ['10.1.0.0/16']], [1]],
    ['a larger network', [[undefined, ['10.1.0.0/16']]], [undefined, ['10.0.0.0/8']], undefined],
    ['two halves', [[undefined, ['10.0.0.0/9', '10.128.0.0/9']]], [undefined, ['10.0.0.0/8']], [1]],
    [
      'two halves in two rules',
      [
        [undefined, ['10.0.0.0/9']],
        [undefined, ['10.128.0.0/9']],
      ],
      [undefined, ['10.0.0.0/8']],
      [1, 2],
    ],
    ['one half', [[undefined, ['10.0.0.0/9']]], [undefined, ['10.0.0.0/8']], undefined],
    ['the other family', [[undefined, ['0.0.0.0/0']]], [undefined, ['::/0']], undefined],
    ['local behind networks', [[undefined, ['0.0.0.0/0', '::/0']]], [undefined, ['local']], undefined],
    ['local behind local', [[undefined, ['local']]], [['login'], ['local']], [1]],
    // A source that is not an address matches only rules without from.
    [
      'everywhere behind all addresses and local',
      [[undefined, ['0.0.0.0/0', '::/0', 'local']]],
      [],
      undefined,
    ],
    [
      'services in one rule, networks in another',
      [[['sshd'], ['10.0.0.0/8']], [['sudo']]],
      [['sshd'], ['11.0.0.0/8']],
      undefined,
    ],
  ];
  for (const [what, earlier, later, expected] of rows) {
    it(what, () => {
      const before = earlier.map(([services, from], index) => rule(index + 1, services, from));
      assert.deepEqual(coveredBy(rule(99, later[0], later[1]), before), expected);
    });
  }

  it('agrees with trying every login of a small model', () => {
    const services = fc.option(fc.uniqueArray(fc.constantFrom('a', 'b'), { minLength: 1 }), {
      nil: undefined,
    });
    const from = fc.option(
      fc.uniqueArray(
        fc.constantFrom(
          'local',
          '10.0.0.0/29',
          '10.0.0.0/30',
          '10.0.0.4/30',
          '10.0.0.4/31',
          '10.0.0.6',
          '10.0.0.7',
          '::/126',
          '::2/127',
        ),
        { minLength: 1, maxLength: 4 },
      ),
      { nil: undefined },
    );
    const sources = [
      ...Array.from({ length: 9 }, (_, i) => `10.0.0.${i}`),
      ...Array.from({ length: 5 }, (_, i) => `::${i}`),
      'local',
      'unknown',
    ];
    const matches = (candidate: Rule, service: string, source: string) =>
      (candidate.services?.includes(service) ?? true) &&
      (candidate.from?.some((s) => (s.kind === 'local' ? source === 'local' : contains(s, source))) ?? true);
    fc.assert(
      fc.property(fc.array(fc.tuple(services, from), { minLength: 1, maxLength: 5 }), (drafts) => {
        const all = drafts.map(([s, f], index) => rule(index, s, f));
        const last = all.at(-1);
        assert.ok(last);
        const before = all.slice(0, -1);
        const isDead = ['a', 'b', 'c'].every((service) =>
          sources.every(
            (source) =>
              !matches(last, service, source) || before.some((other) => matches(other, service, source)),
          ),
        );
        assert.equal(coveredBy(last, before) !== undefined, isDead);
      }),
      { numRuns: 600 },
    );
  });
});
