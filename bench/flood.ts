import { request } from 'node:http';
import { connect } from 'node:net';
import { answerFrame, helloFrame } from './frames.ts';

/**
 * What a local user without rights does to fill the audit trail and the log, as fast as it can, until it is ended:
 * logins that are left as soon as they are answered, frames that break the protocol, and requests that are refused;
 * five of each at a time. Arguments: pam-user.sock, control.sock, the account. With the argument `busy` it only
 * computes: what such a process costs others without a word to sallyportd.
 */
const [userSocket = '', controlSocket = '', account = ''] = process.argv.slice(2);

function login(first: Buffer, second?: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(userSocket);
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.write(first);
    socket.once('data', () => (second === undefined ? socket.end() : socket.end(second)));
  });
}

function refusedRequest(): Promise<void> {
  return new Promise((resolve) => {
    const sent = request({ socketPath: controlSocket, path: '/v1/users', agent: false }, (response) => {
      response.resume();
      response.once('close', resolve);
    });
    sent.once('error', () => resolve());
    sent.end();
  });
}

async function forever(one: () => Promise<void>): Promise<never> {
  for (;;) await one();
}

if (userSocket === 'busy') {
  setInterval(() => {
    const end = performance.now() + 50;
    while (performance.now() < end);
  }, 0);
} else {
  const hello = helloFrame(account, 'screen', process.getuid?.() ?? 0);
  const floods = [() => login(hello, answerFrame('1')), () => login(Buffer.alloc(64, 0xff)), refusedRequest];
  await Promise.all(floods.flatMap((one) => Array.from({ length: 5 }, () => forever(one))));
}
