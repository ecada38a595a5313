import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import { describe, it } from 'node:test';
import {
  canonicalAddress,
  contains,
  formatNetwork,
  parseNetwork,
  rangeOf,
} from '../../../daemon/lib/network.ts';
import { fc } from '../../support/property.ts';

function network(text: string) {
  const parsed = parseNetwork(text);
  assert.ok(parsed.ok, text);
  return parsed.network;
}

const full = (groups: readonly number[]) => groups.map((group) => group.toString(16)).join(':');
const numberOf = (groups: readonly number[]) =>
  groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
const ipv4 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
const mask = (value: bigint, bits: number, prefix: number) =>
  (value >> BigInt(bits - prefix)) << BigInt(bits - prefix);
// Zeros are likely, so that runs of them occur.
const groupsOf6 = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
  minLength: 8,
  maxLength: 8,
});
const isMapped = (groups: readonly number[]) => numberOf(groups) >> 32n === 0xffffn;

describe('addresses', () => {
  for (const [text, canonical] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:0207', '192.0.2.7'],
    ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
  ] as const) {
    it(`writes ${text} as ${canonical}`, () => assert.equal(canonicalAddress(text), canonical));
  }

  for (const text of [
    '',
    'localhost',
    'host.example',
    '192.0.2',
    '010.0.0.1',
    '192.0.2.256',
    '192.0.2.7/32',
    '[::1]',
    '::1%eth0',
    '2001:db8::1%eth0',
    '::ffff:192.0.2.7%eth0',
    'fe80::1%',
    `fe80::1%${'x'.repeat(33)}`,
    '1:2:3',
    ' 192.0.2.7',
  ]) {
    it(`rejects ${JSON.stringify(text)} as an address`, () =>
      assert.equal(canonicalAddress(text), undefined));
  }

  it('writes every spelling of an address the same, and reads the result back', () => {
    fc.assert(
      fc.property(groupsOf6, (groups) => {
        const canonical = canonicalAddress(full(groups));
        assert.ok(canonical !== undefined);
        assert.equal(canonicalAddress(canonical), canonical);
        assert.equal(canonicalAddress(full(groups).toUpperCase()), canonical);
        assert.equal(isIP(canonical), isMapped(groups) ? 4 : 6);
        if (isMapped(groups)) return;
        assert.equal(rangeOf(network(canonical)).first, numberOf(groups));
        // The URL standard also writes IPv6 as in RFC 5952.
        assert.equal(`[${canonical}]`, new URL(`http://[${full(groups)}]/`).hostname);
      }),
    );
  });
});

describe('networks', () => {
  for (const [text, canonical] of [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7/32', '192.0.2.7'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
  ] as const) {
    it(`reads ${text}`, () => assert.equal(formatNetwork(network(text)), canonical));
  }

  for (const [text, why] of [
    ['corp.example', 'not-literal'],
    ['corp.example/24', 'not-literal'],
    ['fe80::1%eth0', 'not-literal'],
    ['10.0.0/8', 'not-literal'],
    ['10.0.0.0/', 'prefix'],
    ['10.0.0.0/33', 'prefix'],
    ['10.0.0.0/08', 'prefix'],
    ['10.0.0.0/-1', 'prefix'],
    ['10.0.0.0/255.0.0.0', 'prefix'],
    ['::/129', 'prefix'],
    ['::ffff:10.0.0.0/95', 'prefix'],
    ['10.0.0.1/8', 'host-bits'],
    ['2001:db8::1/32', 'host-bits'],
  ] as const) {
    it(`rejects ${text}: ${why}`, () => {
      const parsed = parseNetwork(text);
      assert.ok(!parsed.ok);
      assert.equal(parsed.why, why);
    });
  }

  it('agrees with arithmetic and with node:net on IPv4, mapped addresses included', () => {
    const address = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(
        address,
        fc.integer({ min: 0, max: 32 }),
        address,
        fc.boolean(),
        (base, prefix, other, near) => {
          const first = mask(BigInt(base), 32, prefix);
          const value = near ? Number(BigInt(base) ^ (1n << BigInt(other % 32))) : other;
          const inside = mask(BigInt(value), 32, prefix) === first;
          const net = network(`${ipv4(Number(first))}/${prefix}`);
          assert.equal(contains(net, ipv4(value)), inside);
          assert.equal(contains(net, `::ffff:${ipv4(value)}`), inside);
          assert.equal(contains(net, '2001:db8::1'), false);
          const list = new BlockList();
          list.addSubnet(ipv4(Number(first)), prefix, 'ipv4');
          assert.equal(list.check(ipv4(value)), inside);
        },
      ),
    );
  });

  it('agrees with arithmetic on IPv6', () => {
    fc.assert(
      fc.property(
        groupsOf6.filter((groups) => !isMapped(groups)),
        fc.integer({ min: 0, max: 128 }),
        fc.integer({ min: 0, max: 127 }),
        (groups, prefix, flipped) => {
          const value = numberOf(groups);
          const first = mask(value, 128, prefix);
          const text = (number: bigint) =>
            Array.from({ length: 8 }, (_, i) =>
              ((number >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
            ).join(':');
          fc.pre(first >> 32n !== 0xffffn);
          const other = value ^ (1n << BigInt(flipped));
          fc.pre(other >> 32n !== 0xffffn);
          const net = network(`${text(first)}/${prefix}`);
          assert.equal(contains(net, full(groups)), true);
          assert.equal(contains(net, text(other)), mask(other, 128, prefix) === first);
          assert.equal(contains(net, '192.0.2.7'), false);
          assert.deepEqual(rangeOf(net), { first, last: first + (1n << BigInt(128 - prefix)) - 1n });
        },
      ),
    );
  });

  it('ignores the zone of a link-local address', () => {
    assert.equal(contains(network('fe80::/10'), 'fe80::1%eth0'), true);
  });

  it('contains no text that is not an address', () => {
    for (const text of ['', 'host.example', '999.1.1.1', 'UNKNOWN']) {
      assert.equal(contains(network('0.0.0.0/0'), text), false);
      assert.equal(contains(network('::/0'), text), false);
    }
  });
});
