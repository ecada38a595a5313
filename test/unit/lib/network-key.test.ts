import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { networkKey } from '../../../daemon/lib/network-key.ts';

describe('the key under which an address is counted', () => {
  it('is the network of 64 bits for IPv6, however the address is written', () => {
    assert.equal(networkKey('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
    for (const other of ['2001:DB8::6', '2001:0db8:0000::1', '2001:db8:0:0:ffff::1', '2001:db8::192.0.2.1'])
      assert.equal(networkKey(other), networkKey('2001:db8::'), other);
    assert.notEqual(networkKey('2001:db8:0:1::6'), networkKey('2001:db8::6'));
    assert.equal(networkKey('fe80::1%eth0'), networkKey('fe80::2%eth1'));
    assert.equal(networkKey('::1'), '0:0:0:0::/64');
  });

  it('is the address for IPv4, written as IPv6 too', () => {
    assert.equal(networkKey('192.0.2.1'), '192.0.2.1');
    for (const mapped of [
      '::ffff:192.0.2.1',
      '::FFFF:192.0.2.1',
      '::ffff:c000:201',
      '0:0:0:0:0:ffff:c000:0201',
    ])
      assert.equal(networkKey(mapped), '192.0.2.1', mapped);
    assert.notEqual(networkKey('::ffff:0:192.0.2.1'), '192.0.2.1');
  });

  it('is the text itself if it is not an address', () => {
    for (const text of ['uid:1000', 'unknown', '', 'host.example', '1.2.3', ':::'])
      assert.equal(networkKey(text), text);
  });
});
