import assert from 'node:assert/strict';
import { createClient } from '../../daemon/client/client.ts';
import { hotp, newSecret } from './codes.ts';
import { type Client, drive } from './drive.ts';
import { until } from './rig/commands.ts';
import { inNamespace } from './rig/namespace.ts';
import { addPerson } from './rig/people.ts';
import { controlSocket } from './rig/product.ts';
import { prepare, scenario } from './rig/scenario.ts';
import { writeProvenStack } from './rig/stack.ts';

const realms = `
[[realm]]
name = "all"
require = "any"
lockout = { max_code_failures = 100, max_failures = 10000, duration = "1h" }
`;
const service = 'code';
const accounts = 8;
/** More than are used up before the kill comes. */
const codesInAPlan = 20;

interface Token {
  readonly user: string;
  readonly secret: Buffer;
  /** The next counter that was not tried yet. */
  next: number;
  /** The last one that was let in. */
  accepted: number | undefined;
}

/**
 * SIGKILL at any moment under load (design, rule 1): an accepted answer is never accepted again, and no acknowledged
 * change is lost. The daemon restarts each time by itself.
 */
export async function crashes(file: string, kills: number): Promise<void> {
  await inNamespace(file, async () => {
    const product = await prepare(realms);
    writeProvenStack(service);
    const client = createClient({ socket: controlSocket });

    scenario(
      product,
      `${kills} kills under load: no answer is accepted twice, nothing acknowledged is lost`,
      async () => {
        const tokens = await Promise.all(
          Array.from({ length: accounts }, async (_, index): Promise<Token> => {
            const user = `token${index}`;
            addPerson(user);
            const secret = newSecret();
            const base64 = secret.toString('base64');
            const otp = { digits: 6, algorithm: 'sha1', counter: 0, verify: false } as const;
            await client.addFactor(user, { kind: 'hotp', secret: base64, ...otp });
            return { user, secret, next: 0, accepted: undefined };
          }),
        );
        let letIn = 0;
        for (let kill = 0; kill < kills; kill += 1) {
          const plan = tokens.map(({ user, secret, next }): Client => {
            const answers = Array.from({ length: codesInAPlan }, (_, ahead) => hotp(secret, next + ahead));
            return { user, answers };
          });
          const before = (await client.status()).store.commit;
          const load = drive(service, plan);
          // Under way on a machine of any speed; then at any moment.
          await until(
            'the first login is stored',
            async () => (await client.status()).store.commit > before,
            600_000,
          );
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 130));
          await product.stop('SIGKILL');
          letIn += note(tokens, await load);
          await product.start();
          await refuseSpent(tokens);
          for (const { user } of tokens) await client.unlock(user);
        }
        assert.ok(letIn > 0, 'no login was let in: there was no load');
      },
      600_000 + kills * 60_000,
    );

    const refuseSpent = async (tokens: readonly Token[]): Promise<void> => {
      const spent = tokens.flatMap(({ user, secret, accepted }): Client[] =>
        accepted === undefined ? [] : [{ user, answers: [hotp(secret, accepted)] }],
      );
      for (const login of await drive(service, spent))
        assert.notEqual(login.result, 0, `${spent[login.client]?.user} was let in twice with one code`);
    };
  });
}

/** Each client's logins are in order, so the number of a login is the number of its code. */
function note(tokens: readonly Token[], logins: readonly { client: number; result: number }[]): number {
  let letIn = 0;
  for (const [index, token] of tokens.entries()) {
    const own = logins.filter((login) => login.client === index);
    const first = token.next;
    for (const [number, { result }] of own.entries()) {
      if (result !== 0) continue;
      letIn += 1;
      token.accepted = first + number;
    }
    // A code whose answer was cut off may be spent: the next one tried is always a new one.
    const tried = own.findIndex((login) => login.result !== 0);
    token.next = Math.max((token.accepted ?? -1) + 1, first + (tried < 0 ? own.length : tried + 1));
  }
  return letIn;
}
