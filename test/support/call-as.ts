import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** One request on a control socket. */
export interface RawCall {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
}

export interface RawAnswer {
  readonly status: number;
  /** Parsed where it is JSON. */
  readonly body: { readonly error?: { readonly code: string; readonly message: string } } & Record<
    string,
    unknown
  >;
}

/** Handed over by -e, so that the other uid need not be able to read the repository. */
const program = `
const http = require('node:http');
let given = '';
process.stdin.on('data', (chunk) => { given += chunk; }).on('end', async () => {
  const { socketPath, calls, atOnce } = JSON.parse(given);
  const send = ({ method, path, body, headers }) => new Promise((resolve) => {
      const request = http.request({ socketPath, method, path, headers, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk) => { text += chunk; });
        response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }));
      });
      request.on('error', (error) => resolve({ status: 0, body: { error: { code: error.code, message: '' } } }));
      request.end(body);
    });
  let answers = [];
  if (atOnce) answers = await Promise.all(calls.map(send));
  else for (const call of calls) answers.push(await send(call));
  process.stdout.write(JSON.stringify(answers));
});`;

/** The status with which a process of this uid may begin to follow all events. */
export async function beginsToFollow(uid: number, socketPath: string): Promise<number> {
  const ask = `require('node:http').get({ socketPath: process.argv[1], path: '/v1/audit/follow', agent: false },
    ({ statusCode }) => { process.stdout.write(String(statusCode), () => process.exit()); });`;
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, ['-e', ask, socketPath], {
    uid,
    gid: uid,
    cwd: '/',
    stdio: [...stdio],
  });
  if (child.stdout === null) throw new Error('no output');
  return Number(await text(child.stdout));
}

/** Sends requests from a process that runs as this uid: one after the other, unless `atOnce` is said. */
export async function callAs(
  uid: number,
  socketPath: string,
  calls: readonly RawCall[],
  { atOnce = false } = {},
): Promise<readonly RawAnswer[]> {
  const child = spawn(process.execPath, ['-e', program], {
    uid,
    gid: uid,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify({ socketPath, calls, atOnce }));
  return JSON.parse(await text(child.stdout));
}
