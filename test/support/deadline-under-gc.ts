import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createValidationClient } from '../../daemon/authenticators/yubikey-otp-validation.ts';
import { withDeadline } from '../../daemon/lib/deadline.ts';
import { otp } from './yubikey.ts';

/**
 * Deadlines while the garbage collector takes all that it may. Run as a program: prints one line for each deadline
 * that came, and ends.
 */
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const server = createServer(() => undefined);
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
const collecting = setInterval(collect, 5);

async function validation(): Promise<string> {
  const client = createValidationClient({
    servers: [`http://127.0.0.1:${port}/verify`],
    clientId: '7',
    key: Buffer.alloc(20, 1),
    deadline: 300,
  });
  const { outcome } = await client.validate(otp({ use: 1, session: 1 }), new AbortController().signal);
  return `validation ${outcome}`;
}

const never = (): Promise<string> => new Promise<string>(() => undefined);
await Promise.all(
  [validation(), withDeadline(never(), 300, () => 'wait late')].map(async (line) => {
    process.stdout.write(`${await line}\n`);
  }),
);
clearInterval(collecting);
server.closeAllConnections();
server.close();
