import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createKeyRequests, questionFor } from '../../../daemon/authenticators/key-requests.ts';
import { legacyCredential } from '../../../daemon/factors/u2f.ts';
import { systemRandomness } from '../../../daemon/lib/randomness.ts';
import { limits } from '../../../daemon/limits.ts';
import { encodeAssert, encodeMake } from '../../../daemon/protocol/fido-requests.ts';
import type { CredentialRecord } from '../../support/credential.ts';
import { keyOf } from '../../support/credential.ts';
import { FakeKeys } from '../../support/fake-keys.ts';
import { hostWith } from '../../support/host.ts';
import { legacyKey, rpId, softKey } from '../../support/soft-keys.ts';

/** Requests to security keys: one account must not store more than a request can hold, or no key of it would blink. */

const longId = (number: number) => {
  const bytes = Buffer.alloc(limits.credentialIdLength, number);
  return bytes.toString('base64url');
};
const appId = (number: number) => `https://${String(number).padStart(limits.appIdLength - 8, 'x')}`;
const most = limits.factorsPerAccount;

describe('a request to the keys', () => {
  const asked = (credentials: readonly CredentialRecord[]) => {
    const keys = new FakeKeys();
    const question = questionFor(credentials.map(keyOf), 'preferred');
    assert.ok(question !== undefined);
    createKeyRequests(systemRandomness).begin(
      hostWith({ securityKeys: keys }),
      question,
      600_000,
      () => undefined,
    );
    const [call] = keys.asserted;
    assert.ok(call !== undefined);
    const frame = encodeAssert(call.request);
    assert.ok(frame.length <= 4 + limits.frameLength, String(frame.length));
    assert.ok(call.request.groups.length <= limits.fidoParties);
    return question.groups;
  };

  it('holds all usual keys of an account', () => {
    const keys = Array.from({ length: most }, () => softKey().record);
    assert.deepEqual(asked(keys), [{ rpId, credentialIds: keys.map(({ credentialId }) => credentialId) }]);
  });

  it('can be made whatever the account has, with those of the configured relying party first', () => {
    const ours = softKey({ credentialId: longId(99) }).record;
    const olds = Array.from({ length: most - 1 }, (_, number) => {
      return legacyKey(appId(number), { credentialId: longId(number) }).record;
    });
    const groups = asked([...olds, ours]);
    assert.deepEqual(groups[0], { rpId, credentialIds: [ours.credentialId] });
    assert.ok(groups.length > 5);
  });

  it('names no more relying parties than the helper accepts', () => {
    const olds = Array.from({ length: most }, (_, number) => legacyKey(`pam://host${number}`).record);
    assert.equal(asked(olds).length, limits.fidoParties);
  });

  it('excludes as many as it can hold', () => {
    const keys = new FakeKeys();
    const exclude = Array.from({ length: most }, (_, number) => longId(number));
    createKeyRequests(systemRandomness).make(
      hostWith({ securityKeys: keys }),
      {
        account: 'a'.repeat(limits.userLength),
        rp: { rpId: 'x'.repeat(253), rpName: 'n'.repeat(64) },
        userId: Buffer.alloc(32),
        exclude,
        algorithms: ['es256', 'eddsa', 'rs256'],
        residentKey: true,
        attested: false,
        userVerification: 'required',
      },
      limits.ceremonyDeadline,
      () => undefined,
    );
    const [call] = keys.made;
    assert.ok(call !== undefined && call.request.exclude.length > 10);
    assert.ok(encodeMake(call.request).length <= 4 + limits.frameLength);
  });
});

describe('a legacy credential', () => {
  const publicKey = Buffer.alloc(64, 1);
  const written = (part: { credentialId?: string; appId?: string }) =>
    legacyCredential({
      credentialId: 'QQ',
      appId: 'pam://host',
      algorithm: 'es256',
      verified: false,
      publicKey,
      ...part,
    });

  it('has an id that a key can send, in canonical form', () => {
    for (const credentialId of ['QQ', longId(1)])
      assert.equal(written({ credentialId }).credentialId, credentialId);
    // No byte at all; bits left over; padding; the other alphabet; longer than allowed.
    for (const credentialId of ['', 'Q', 'QR', 'QQ==', 'a+/b', 'a b', `${longId(1)}AA`])
      assert.throws(() => written({ credentialId }), { code: 'bad-secret' }, credentialId);
  });

  it('is for a relying party that the helper accepts', () => {
    const longest = appId(1);
    assert.equal(longest.length, limits.appIdLength);
    assert.equal(written({ appId: longest }).appId, longest);
    for (const wrong of ['', `${longest}x`, 'pam://host name', 'pam://höst', 'pam://host\n'])
      assert.throws(() => written({ appId: wrong }), { code: 'bad-secret' });
  });
});
