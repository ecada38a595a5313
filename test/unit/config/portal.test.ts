import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bad, catchAll, good, onlyProblem } from './support.ts';

const pair = 'cert_file = "/etc/c"\nkey_file = "/etc/k"\n';
const beside = (portal: string, rpId = 'login.example.org') =>
  `[webauthn]\nrp_id = "${rpId}"\n[portal]\n${portal}\n${catchAll}`;
const https = 'origins = ["https://login.example.org"]\n';

describe('[portal]', () => {
  it('may be omitted', () => assert.equal(good(catchAll).portal, undefined));

  it('has every default filled in', () => {
    assert.deepEqual(good(beside(`${https}proxies = ["192.0.2.1"]`)).portal, {
      origins: ['https://login.example.org'],
      listen: { address: '127.0.0.1', port: 8443 },
      proxies: [{ family: 'ipv4', address: '192.0.2.1', prefix: 32 }],
      name: 'host.example',
      user: 'sallyport-portal',
    });
  });

  it('has every setting', () => {
    const text = `origins = ["https://login.example.org:8443", "https://eu.login.example.org"]
listen = "[::]:443"\n${pair}proxies = ["2001:db8::/32"]\nname = "Us"\nuser = "web"`;
    assert.deepEqual(good(beside(text)).portal, {
      origins: ['https://login.example.org:8443', 'https://eu.login.example.org'],
      listen: { address: '::', port: 443 },
      tls: { certFile: '/etc/c', keyFile: '/etc/k' },
      proxies: [{ family: 'ipv6', address: '2001:db8::', prefix: 32 }],
      name: 'Us',
      user: 'web',
    });
  });

  it('uses the issuer as its name', () => {
    assert.equal(good(`issuer = "Ex"\n${beside(https + pair)}`).portal?.name, 'Ex');
  });

  it('is valid on localhost without TLS', () => {
    for (const listen of ['', 'listen = "127.0.0.2:80"', 'listen = "[::1]:8443"'])
      good(beside(`origins = ["http://localhost:8443"]\n${listen}`, 'localhost'));
  });

  for (const origin of [
    'login.example.org',
    'https://login.example.org/',
    'https://login.example.org:443',
    'https://LOGIN.example.org',
    'https://a@login.example.org',
    'https://login.example.org?x',
    'http://login.example.org',
    'http://127.0.0.1:8443',
    'wss://login.example.org',
    '',
  ]) {
    it(`rejects the origin ${JSON.stringify(origin)}`, () => {
      const problem = onlyProblem(beside(`origins = [${JSON.stringify(origin)}]\n${pair}`));
      assert.deepEqual([problem.key, problem.line], ['portal.origins', 4]);
      assert.match(problem.allowed, /https:\/\/login\.example\.org/);
    });
  }

  for (const listen of [
    'localhost:80',
    '8443',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '::1:80',
    '[127.0.0.1]:80',
  ])
    it(`does not listen on ${listen}`, () => {
      const problem = onlyProblem(beside(`${https}${pair}listen = "${listen}"`));
      assert.deepEqual([problem.key, problem.line], ['portal.listen', 7]);
    });

  const rows: readonly (readonly [string, string, string, number, RegExp])[] = [
    ['no [webauthn]', `[portal]\n${https}${pair}${catchAll}`, 'portal', 1, /\[webauthn\]/],
    ['no origins', beside(pair), 'portal.origins', 3, /a list of origins/],
    ['an empty list of origins', beside(`origins = []\n${pair}`), 'portal.origins', 4, /at least one/],
    [
      'an origin of another domain',
      beside(`origins = ["https://login.example.com"]\n${pair}`),
      'portal.origins',
      4,
      /rp_id = "login\.example\.org"/,
    ],
    [
      'an origin that only ends alike',
      beside(`origins = ["https://xlogin.example.org"]\n${pair}`),
      'portal.origins',
      4,
      /nowhere else/,
    ],
    [
      'an origin above the relying party',
      beside(`origins = ["https://example.org"]\n${pair}`),
      'portal.origins',
      4,
      /nowhere else/,
    ],
    [
      'an origin twice',
      beside(`origins = [\n"https://login.example.org",\n"https://login.example.org"]\n${pair}`),
      'portal.origins',
      6,
      /once/,
    ],
    ['https without TLS', beside(https), 'portal.origins', 4, /proxies/],
    ['https with an empty list of proxies', beside(`${https}proxies = []`), 'portal.origins', 4, /proxies/],
    ['half a pair', beside(`${https}cert_file = "/c"`), 'portal.key_file', 3, /together/],
    [
      'the other half',
      beside(`${https}proxies = ["::1"]\nkey_file = "/c"`),
      'portal.cert_file',
      3,
      /together/,
    ],
    [
      'plain http with a certificate',
      beside(`origins = ["http://localhost"]\n${pair}`, 'localhost'),
      'portal.origins',
      4,
      /only TLS/,
    ],
    [
      'plain http for the network',
      beside('origins = ["http://localhost"]\nlisten = "0.0.0.0:80"', 'localhost'),
      'portal.listen',
      5,
      /in the clear/,
    ],
    ['a proxy by name', beside(`${https}proxies = ["proxy"]`), 'portal.proxies', 5, /literal/],
    [
      'a proxy with host bits',
      beside(`${https}proxies = ["10.0.0.1/8"]`),
      'portal.proxies',
      5,
      /"10\.0\.0\.0\/8"/,
    ],
    ['an unknown key', beside(`${https}${pair}orgin = 1`), 'portal.orgin', 7, /"origins"\?/],
    ['no table', `portal = 1\n${catchAll}`, 'portal', 1, /a table/],
  ];
  for (const [what, text, key, line, pattern] of rows)
    it(`rejects ${what}`, () => {
      const problem = onlyProblem(text);
      assert.deepEqual([problem.key, problem.line], [key, line]);
      assert.match(`${problem.allowed} (${problem.message})`, pattern);
    });

  it('names every problem at once', () => {
    const problems = bad(beside('origins = ["https://a.example"]\nkey_file = "/k"\nlisten = "x"'));
    assert.deepEqual(problems.map(({ key }) => key).sort(), [
      'portal.cert_file',
      'portal.listen',
      'portal.origins',
    ]);
  });
});
