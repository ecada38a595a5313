import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { createClient } from '../../../daemon/client/client.ts';

let directory: string;
let server: Server;
let open = 0;
const heard: string[] = [];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-client-'));
  server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.push([request.method, request.url, body, request.headers.authorization].join(' '));
      if (request.url?.endsWith('/follow') !== true) {
        response.end('{}');
        return;
      }
      open += 1;
      response.once('close', () => {
        open -= 1;
      });
      response.write('{"kind":"approval-over","id":"1"}\n{"kind":"approval-');
      setTimeout(() => response.write('over","id":"2"}\n'), 20);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(directory, 's'), resolve));
});
after(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

const client = (signal?: AbortSignal) =>
  createClient({ socket: join(directory, 's'), token: 't', ...(signal === undefined ? {} : { signal }) });

test('each request has its own path, names and ids as one segment each', async () => {
  const {
    beginSignIn,
    answerSignIn,
    endToken,
    beginKey,
    finishKey,
    approval,
    answerApproval,
    denyApproval,
    invite,
    users,
  } = client();
  const assertion = { credentialId: 'a', clientDataJSON: 'b', authenticatorData: 'c', signature: 'd' };
  heard.length = 0;
  await beginSignIn({ user: 'a', by: 'uid' });
  await answerSignIn('a/b', { kind: 'typed', answer: '1' });
  await endToken();
  await beginKey('a/b', { origin: 'o' });
  await finishKey('u', 'k', {
    credentialId: 'a',
    clientDataJSON: 'b',
    attestationObject: 'c',
    transports: [],
  });
  await approval('x', '::1');
  await approval('x', undefined);
  await answerApproval('x', { ...assertion, source: '::1' });
  await denyApproval('x');
  await invite('u', true);
  await users(undefined, 5, 'al');
  assert.deepEqual(heard, [
    'POST /v1/sign-ins {"user":"a","by":"uid"} Bearer t',
    'POST /v1/sign-ins/a%2Fb {"kind":"typed","answer":"1"} Bearer t',
    'DELETE /v1/tokens  Bearer t',
    'POST /v1/users/a%2Fb/keys {"origin":"o"} Bearer t',
    'POST /v1/users/u/keys/k {"credentialId":"a","clientDataJSON":"b","attestationObject":"c","transports":[]} Bearer t',
    'GET /v1/approvals/x?source=%3A%3A1  Bearer t',
    'GET /v1/approvals/x  Bearer t',
    'POST /v1/approvals/x {"credentialId":"a","clientDataJSON":"b","authenticatorData":"c","signature":"d","source":"::1"} Bearer t',
    'POST /v1/approvals/x/deny {} Bearer t',
    'POST /v1/users/u/invite {"withoutPassword":true} Bearer t',
    'GET /v1/users?search=al&limit=5  Bearer t',
  ]);
});

test('a stream returns line by line, and ends with its signal', async () => {
  const ending = new AbortController();
  const got: string[] = [];
  const taken = (async () => {
    for await (const event of client(ending.signal).followApprovals('u')) {
      got.push(event.kind === 'approval' ? event.approval.id : event.id);
      if (got.length === 2) ending.abort();
    }
  })();
  await assert.rejects(taken, { code: 'daemon-unreachable' });
  assert.deepEqual(got, ['1', '2']);
  const end = performance.now() + 2_000;
  while (open > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(open, 0);
});
