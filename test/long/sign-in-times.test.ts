import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import type { SignInBody } from '../../daemon/api/sign-in-views.ts';
import { createClient } from '../../daemon/client/client.ts';
import { codeOf } from '../../daemon/lib/errors.ts';
import { repoRoot } from '../support/native.ts';
import { askFrame, parts, RawPasswordHelper, shippedPasswordHelper } from '../support/password-rig.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson } from '../support/rig/people.ts';
import { controlSocket } from '../support/rig/product.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { criticalDistance, distance } from '../support/two-samples.ts';

/** Whether the time of a failed sign-in reveals which names are accounts: real PAM, real hashes, a two-sample test. */

const samples = 200;
const critical = criticalDistance(samples, samples);

/** Requests by kind of name. */
type Kinds = Readonly<Record<string, () => Promise<void>>>;

/** Sends all kinds in random order, a fixed number at once. @returns the times of each, in milliseconds */
async function timesOf(kinds: Kinds, atOnce: number): Promise<ReadonlyMap<string, readonly number[]>> {
  const order = Object.entries(kinds)
    .flatMap(([kind, ask]) => Array.from({ length: samples }, () => ({ kind, ask, at: Math.random() })))
    .sort((a, b) => a.at - b.at);
  const times = new Map(Object.keys(kinds).map((kind): [string, number[]] => [kind, []]));
  for (let from = 0; from < order.length; from += atOnce)
    await Promise.all(
      order.slice(from, from + atOnce).map(async ({ kind, ask }) => {
        const began = performance.now();
        await ask();
        times.get(kind)?.push(performance.now() - began);
      }),
    );
  return times;
}

/** Pairs of kinds whose times differ. */
async function differences(kinds: Kinds, atOnce: number): Promise<readonly string[]> {
  const all = [...(await timesOf(kinds, atOnce))];
  return all.flatMap(([kind, times], at) =>
    all
      .slice(at + 1)
      .filter(([, others]) => distance(times, others) >= critical)
      .map(([other]) => `${kind} and ${other}`),
  );
}

/** With so many pairs, chance makes one differ now and then; a leak shows in a second measurement too. */
async function answeredAlike(kinds: Kinds, atOnce: number): Promise<void> {
  const first = await differences(kinds, atOnce);
  if (first.length === 0) return;
  const second = await differences(kinds, atOnce);
  assert.deepEqual(
    first.filter((pair) => second.includes(pair)),
    [],
    `these differ by ${critical.toFixed(3)} or more in two measurements`,
  );
}

await inNamespace(import.meta.filename, async () => {
  const product = await prepare('[[realm]]\nname = "everyone"\nrequire = "none"\n');
  for (let n = 0; n < 60; n += 1) for (const kind of ['person', 'locked']) addPerson(`${kind}${n}`);
  const shadow = readFileSync('/etc/shadow', 'utf8');
  writeFileSync('/etc/shadow', shadow.replace(/^(locked\d+):[^:]*:/gm, '$1:!:'));
  const client = createClient({ socket: controlSocket });
  for (let n = 0; n < 60; n += 1) await client.invite(`locked${n}`, true);
  let asked = 0;
  let checked = 0;

  const nameOf = (kind: 'person' | 'locked' | 'nobody') => `${kind}${asked % 60}`;
  /**
   * From an address used by no other request. On a slow machine some wait too long and are not verified: the answer is
   * the same, and its time counts with the rest.
   */
  const refused = async (body: SignInBody): Promise<void> => {
    asked += 1;
    const source = `10.${asked >> 16}.${(asked >> 8) & 255}.${asked & 255}`;
    const code = await client.beginSignIn({ ...body, source }).then(() => 'let in', codeOf);
    if (code === 'sign-in-refused') checked += 1;
    else assert.equal(code, 'password-unavailable');
  };
  const byPassword = (kind: 'person' | 'locked' | 'nobody') => () =>
    refused({ user: nameOf(kind), by: 'password', password: 'wrong' });
  const byLink = (account: () => string) => () => {
    const link = `${Buffer.from(account()).toString('base64url')}.${randomBytes(16).toString('base64url')}`;
    return refused({ user: 'person0', by: 'link', link });
  };
  const checkedAlike = async (kinds: Kinds, atOnce: number): Promise<void> => {
    const [askedBefore, checkedBefore] = [asked, checked];
    await answeredAlike(kinds, atOnce);
    const [all, most] = [asked - askedBefore, checked - checkedBefore];
    assert.ok(most >= all / 2, `only ${most} of ${all} were checked`);
  };
  /** By another user's program, as "sallyport factor" connects: the uid is that of the connection. */
  const byStranger = (body: () => SignInBody) => async () => {
    asked += 1;
    const answered = (() => {
      process.seteuid?.(50_000 + asked);
      try {
        return client.beginSignIn(body());
      } finally {
        process.seteuid?.(0);
      }
    })();
    await assert.rejects(answered, { code: 'not-permitted' });
  };

  const passwords = {
    accounts: byPassword('person'),
    'accounts without a password': byPassword('locked'),
    'other names': byPassword('nobody'),
  };
  for (const atOnce of [1, 8, 64])
    scenario(
      product,
      `wrong passwords of accounts and of other names are answered alike, ${atOnce} at once`,
      () => checkedAlike(passwords, atOnce),
      3_600_000,
    );

  const links = {
    'accounts with an invite': byLink(() => nameOf('locked')),
    accounts: byLink(() => nameOf('person')),
    'other names': byLink(() => nameOf('nobody')),
  };
  scenario(
    product,
    'wrong links of accounts and of other names are answered alike, 8 at once',
    () => checkedAlike(links, 8),
    3_600_000,
  );

  const strangers = {
    'passwords of accounts': byStranger(() => ({
      user: nameOf('person'),
      by: 'password',
      password: 'wrong',
    })),
    'passwords of other names': byStranger(() => ({
      user: nameOf('nobody'),
      by: 'password',
      password: 'wrong',
    })),
    accounts: byStranger(() => ({ user: nameOf('person'), by: 'uid' })),
    'other names': byStranger(() => ({ user: nameOf('nobody'), by: 'uid' })),
  };
  scenario(
    product,
    'local programs are answered alike for accounts and other names, 8 at once',
    () => answeredAlike(strangers, 8),
    3_600_000,
  );

  scenario(product, 'the password helper hashes for a name that is not an account', async () => {
    const salt = '$6$rounds=1000000$abcdefgh';
    const hash = execFileSync('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', 'secret', salt], {
      encoding: 'utf8',
    });
    const shadow = readFileSync('/etc/shadow', 'utf8');
    writeFileSync('/etc/shadow', shadow.replace(/^root:[^:]*:/m, `root:${hash}:`));
    copyFileSync(`${repoRoot}/pam-config/pam.d/sallyport-password`, '/etc/pam.d/sallyport-password');
    const program = `${work}/sallyport-password`;
    copyFileSync(await shippedPasswordHelper(), program);
    const timeOf = async (user: string) => {
      const began = performance.now();
      const frame = askFrame({ user: parts.user(user) });
      const { verdict, code, signal, stderr } = await new RawPasswordHelper(program).send(frame).ended;
      assert.equal(verdict, 'wrong', `${user}: status ${code}, ${signal}, ${stderr}`);
      return performance.now() - began;
    };
    // Delays of a busy machine vary: the shortest of three is the work itself.
    const shortest = { account: Number.POSITIVE_INFINITY, other: Number.POSITIVE_INFINITY };
    for (let time = 0; time < 3; time += 1) {
      shortest.account = Math.min(shortest.account, await timeOf('root'));
      shortest.other = Math.min(shortest.other, await timeOf('nobody-here'));
    }
    const { account, other } = shortest;
    assert.ok(other > account / 3, `${Math.round(other)} ms against ${Math.round(account)} ms`);
    writeFileSync('/etc/shadow', shadow);
  });
});
