import assert from 'node:assert/strict';
import { createClient } from '../../daemon/client/client.ts';
import { hotp, newSecret, totp } from './codes.ts';
import { drive } from './drive.ts';
import { inNamespace } from './rig/namespace.ts';
import { addPerson } from './rig/people.ts';
import { controlSocket } from './rig/product.ts';
import { prepare, scenario } from './rig/scenario.ts';
import { writeProvenStack } from './rig/stack.ts';
import { newYubikey, otp, type Programmed } from './yubikey.ts';

const realms = `
[[realm]]
name = "all"
require = "any"
`;
const parallel = 64;
const service = 'code';

/** Refusals are delayed for up to five seconds, concurrently; so are the rounds. */
async function inFives(rounds: number, round: (number: number) => Promise<void>): Promise<void> {
  for (let first = 0; first < rounds; first += 5)
    await Promise.all(
      Array.from({ length: Math.min(5, rounds - first) }, (_, index) => round(first + index)),
    );
}

/**
 * Single use (design, rule 1): 64 processes with one answer, exactly one of them is accepted.
 * @param rounds how often, for each kind of factor; every round has a separate account
 */
export async function onceIsOnce(file: string, rounds: number): Promise<void> {
  await inNamespace(file, async () => {
    const product = await prepare(realms);
    writeProvenStack(service);

    const client = createClient({ socket: controlSocket });
    const sixDigits = { digits: 6, algorithm: 'sha1', verify: false } as const;
    const addHotp = async (user: string): Promise<Buffer> => {
      const secret = newSecret();
      await client.addFactor(user, {
        kind: 'hotp',
        secret: secret.toString('base64'),
        counter: 0,
        ...sixDigits,
      });
      return secret;
    };
    const addYubikey = (user: string, { publicId, privateId, aesKey }: Programmed) =>
      client.addFactor(user, {
        kind: 'yubikey',
        validation: 'local',
        publicId,
        privateId: privateId.toString('base64'),
        secret: aesKey.toString('base64'),
        verify: false,
      });
    const answers = {
      totp: async (user: string) => {
        const secret = newSecret();
        await client.addFactor(user, {
          kind: 'totp',
          secret: secret.toString('base64'),
          period: 30,
          ...sixDigits,
        });
        return totp(secret);
      },
      hotp: async (user: string) => hotp(await addHotp(user), 0),
      yubikey: async (user: string) => {
        const key = newYubikey();
        await addYubikey(user, key);
        return otp({ use: 1, session: 0 }, key);
      },
      recovery: async (user: string) =>
        (await client.addFactor(user, { kind: 'recovery', verify: false })).recoveryKeys?.[0] ?? '',
    } as const;

    for (const kind of ['totp', 'hotp', 'yubikey', 'recovery'] as const) {
      scenario(
        product,
        `${parallel} processes with one answer, ${kind}: one is accepted, ${rounds} times`,
        async () => {
          const round = async (number: number): Promise<void> => {
            const user = `${kind}${number}`;
            addPerson(user);
            const answer = await answers[kind](user);
            const logins = await drive(
              service,
              Array.from({ length: parallel }, () => ({ user, answers: [answer] })),
            );
            assert.equal(logins.length, parallel);
            const letIn = logins.filter((login) => login.result === 0).length;
            assert.equal(letIn, 1, `round ${number}: ${letIn} of ${parallel} were let in`);
            const { events } = await client.audit({ user, limit: 500 });
            const reported = events.filter((event) => event.outcome === 'success').length;
            assert.equal(reported, 1, 'and the audit trail says so');
          };
          await inFives(rounds, round);
        },
      );
    }

    scenario(
      product,
      `${parallel} processes with one press of a key of two accounts: one is accepted`,
      async () => {
        const round = async (number: number): Promise<void> => {
          const key = newYubikey();
          const users = [`one${number}`, `two${number}`];
          for (const user of users) {
            addPerson(user);
            await addYubikey(user, key);
          }
          const press = otp({ use: 1, session: 0 }, key);
          const logins = await drive(
            service,
            Array.from({ length: parallel }, (_, index) => ({
              user: users[index % 2] ?? '',
              answers: [press],
            })),
          );
          assert.equal(logins.length, parallel);
          assert.equal(logins.filter((login) => login.result === 0).length, 1, `round ${number}`);
        };
        await inFives(rounds, round);
      },
    );

    scenario(product, `${parallel} accounts at once, each with its own code: all are accepted`, async () => {
      const clients = [];
      for (let index = 0; index < parallel; index += 1) {
        const user = `many${index}`;
        addPerson(user);
        const secret = await addHotp(user);
        clients.push({ user, answers: [0, 1, 2].map((counter) => hotp(secret, counter)) });
      }
      const logins = await drive(service, clients);
      assert.equal(logins.length, 3 * parallel);
      assert.deepEqual(
        logins.filter((login) => login.result !== 0),
        [],
      );
    });
  });
}
