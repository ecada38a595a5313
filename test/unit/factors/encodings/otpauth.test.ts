import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeBase32 } from '../../../../daemon/factors/encodings/base32.ts';
import {
  type OtpauthToken,
  otpauthUri,
  shortOtpauthUris,
} from '../../../../daemon/factors/encodings/otpauth.ts';
import { fc } from '../../../support/property.ts';

const seed = Buffer.from('Hello!\xde\xad\xbe\xef', 'latin1');
const token: OtpauthToken = {
  kind: 'totp',
  issuer: 'Sallyport',
  account: 'alice',
  seed,
  digits: 6,
  algorithm: 'sha1',
  period: 30,
};

describe('the otpauth URI', () => {
  it('contains everything about a TOTP factor', () => {
    assert.equal(
      otpauthUri(token),
      'otpauth://totp/Sallyport:alice?secret=JBSWY3DPEHPK3PXP&issuer=Sallyport&algorithm=SHA1&digits=6&period=30',
    );
  });

  it('contains everything about an HOTP factor', () => {
    assert.equal(
      otpauthUri({ ...token, kind: 'hotp', digits: 8, algorithm: 'sha256', counter: 0 }),
      'otpauth://hotp/Sallyport:alice?secret=JBSWY3DPEHPK3PXP&issuer=Sallyport&algorithm=SHA256&digits=8&counter=0',
    );
  });

  it('percent-encodes colons, spaces and everything else in issuer and account', () => {
    const uri = otpauthUri({ ...token, issuer: "A: B & Co's", account: 'CORP\\jö:x@corp.example' });
    const label = uri.slice('otpauth://totp/'.length, uri.indexOf('?'));
    assert.equal(label, 'A%3A%20B%20%26%20Co%27s:CORP%5Cj%C3%B6%3Ax%40corp.example');
    assert.match(uri, /&issuer=A%3A%20B%20%26%20Co%27s&/);
  });

  it('is read back unchanged, whatever the names', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(name, name, fc.uint8Array({ minLength: 10, maxLength: 64 }), (issuer, account, bytes) => {
        const uri = otpauthUri({ ...token, issuer, account, seed: Buffer.from(bytes) });
        assert.match(uri, /^[\x21-\x7e]+$/);
        const url = new URL(uri);
        assert.deepEqual(url.pathname.slice(1).split(':').map(decodeURIComponent), [issuer, account]);
        assert.equal(url.searchParams.get('issuer'), issuer);
        assert.deepEqual(decodeBase32(url.searchParams.get('secret') ?? ''), Buffer.from(bytes));
      }),
    );
  });
});

describe('the URI of a QR code', () => {
  it('omits the defaults of the format, and the issuer if necessary', () => {
    assert.deepEqual(shortOtpauthUris(token), [
      'otpauth://totp/Sallyport:alice?secret=JBSWY3DPEHPK3PXP&issuer=Sallyport',
      'otpauth://totp/Sallyport:alice?secret=JBSWY3DPEHPK3PXP',
    ]);
  });

  it('contains all non-default values, and always a counter', () => {
    assert.deepEqual(
      shortOtpauthUris({ ...token, digits: 8, algorithm: 'sha512', period: 60 }).map(
        (uri) => uri.split('?')[1],
      ),
      [
        'secret=JBSWY3DPEHPK3PXP&algorithm=SHA512&digits=8&period=60&issuer=Sallyport',
        'secret=JBSWY3DPEHPK3PXP&algorithm=SHA512&digits=8&period=60',
      ],
    );
    assert.match(shortOtpauthUris({ ...token, kind: 'hotp', counter: 0 })[1] ?? '', /&counter=0$/);
  });
});
