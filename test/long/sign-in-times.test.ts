import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createClient } from '../../daemon/control/client.ts';
import { repoRoot } from '../support/native.ts';
import { askFrame, parts, RawPasswordHelper, shippedPasswordHelper } from '../support/password-rig.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson } from '../support/rig/people.ts';
import { controlSocket } from '../support/rig/product.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';

/** Whether the time of a wrong sign-in tells which names are accounts: real PAM, real hashes, a two-sample test. */

const samples = 200;
/** Of Kolmogorov and Smirnov, for two samples of 200 at a level of 0.1 %. */
const critical = 1.95 * Math.sqrt(2 / samples);

interface Timed {
  readonly isAccount: boolean;
  readonly ms: number;
}

function distance(all: readonly Timed[]): number {
  const [accounts, others] = [true, false].map((isAccount) =>
    all.filter((one) => one.isAccount === isAccount),
  );
  const shareUpTo = (of: readonly Timed[] = [], ms: number) =>
    of.filter((one) => one.ms <= ms).length / Math.max(1, of.length);
  return Math.max(...all.map(({ ms }) => Math.abs(shareUpTo(accounts, ms) - shareUpTo(others, ms))));
}

await inNamespace(import.meta.filename, async () => {
  const product = await prepare('[[realm]]\nname = "everyone"\nrequire = "none"\n');
  const people = Array.from({ length: 120 }, (_, n) => addPerson(`person${n}`).name);
  const client = createClient({ socket: controlSocket });
  let asked = 0;

  const once = async (isAccount: boolean): Promise<Timed> => {
    asked += 1;
    const name = people[asked % people.length] ?? '';
    const user = isAccount ? name : name.replace('person', 'nobody');
    const source = `10.${asked >> 16}.${(asked >> 8) & 255}.${asked & 255}`;
    const began = performance.now();
    await assert.rejects(client.beginSignIn({ user, by: 'password', password: 'wrong', source }), {
      code: 'sign-in-refused',
    });
    return { isAccount, ms: performance.now() - began };
  };

  for (const atOnce of [1, 8, 64])
    scenario(
      product,
      `names that are accounts and names that are not are answered alike, ${atOnce} at once`,
      async () => {
        const order = Array.from({ length: 2 * samples }, (_, n) => ({
          isAccount: n % 2 === 0,
          at: Math.random(),
        }));
        order.sort((a, b) => a.at - b.at);
        const all: Timed[] = [];
        for (let from = 0; from < order.length; from += atOnce)
          all.push(
            ...(await Promise.all(order.slice(from, from + atOnce).map(({ isAccount }) => once(isAccount)))),
          );
        const found = distance(all);
        assert.ok(found < critical, `distance ${found.toFixed(3)} is over ${critical.toFixed(3)}`);
      },
      900_000,
    );

  scenario(product, 'the password helper hashes for a name that is not an account', async () => {
    const salt = '$6$rounds=3000000$abcdefgh';
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
      const { verdict } = await new RawPasswordHelper(program).send(askFrame({ user: parts.user(user) }))
        .ended;
      assert.equal(verdict, 'wrong');
      return performance.now() - began;
    };
    const [root, other] = [await timeOf('root'), await timeOf('nobody-here')];
    assert.ok(other > root / 3, `${Math.round(other)} ms against ${Math.round(root)} ms`);
    writeFileSync('/etc/shadow', shadow);
  });
});
