import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { createClient } from '../../../daemon/client/client.ts';
import { limits } from '../../../daemon/limits.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { callers, knows, linkIn, outcomeOf, realms, withPassword } from '../../support/sign-ins.ts';

/** Sign-in links and invites, while strangers use up the attempts of names. */

let rig: ControlRig;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
});
afterEach(() => rig.close());

const tries = limits.unverifiedPerName.burst + 4;
const address = (n: number): string => `10.0.0.${n}`;
const open = (link: string, user: string, source: string, password?: string) =>
  outcomeOf(
    rig.signIns.begin(callers.portal, {
      user,
      by: 'link',
      link,
      source,
      ...(password === undefined ? {} : { password }),
    }),
  );
const guessed = Buffer.from('carol').toString('base64url');
const floods = {
  'passwords of that name': (n: number) =>
    outcomeOf(rig.signIns.begin(callers.portal, withPassword('carol', 'guess', address(n)))),
  'links without a name': (n: number) => open(`guess${n}`, '', address(n)),
  'links beside that name': (n: number) => open(`guess${n}`, 'carol', address(n)),
  'invites of that name': (n: number) => open(`${guessed}.guess${n}`, '', address(n), 'guess'),
};

for (const [what, guess] of Object.entries(floods)) {
  for (const user of ['', 'carol'])
    it(`a link of one's own opens beside strangers who try ${what}, with the name "${user}"`, async () => {
      rig.passwords.without.add('carol');
      const { link } = linkIn(await rig.signIns.begin(callers.carol, { user: 'carol', by: 'uid' }));
      await Promise.all(Array.from({ length: tries }, (_, n) => guess(n)));
      assert.equal(await open(link, user, '192.0.2.1'), 'done');
    });

  for (const withoutPassword of [true, false])
    it(`an invite ${withoutPassword ? 'without' : 'with'} a password opens beside strangers who try ${what}`, async () => {
      const { link } = await createClient({ socket: rig.socket }).invite('carol', withoutPassword);
      await Promise.all(Array.from({ length: tries }, (_, n) => guess(n)));
      const password = withoutPassword ? undefined : 'password of carol';
      assert.equal(await open(link, '', '192.0.2.1', password), 'done');
    });
}
