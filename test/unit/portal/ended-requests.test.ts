import assert from 'node:assert/strict';
import { request } from 'node:http';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { limits } from '../../../portal/limits.ts';
import { ask, codeIn, origin, type PortalRig, startPortal } from '../../support/portal-rig.ts';
import { until } from '../../support/until.ts';

let rig: PortalRig;
beforeEach(async () => {
  rig = await startPortal();
});
afterEach(() => rig.close());

const answers = () => rig.daemon.namesAsked().filter((name) => name === 'answerSignIn').length;
const requestsLogged = () => rig.logged.filter((line) => line.includes('"event":"request"')).length;

/** A browser that sends an answer, and closes the page before the response. */
async function answerAndLeave(id: string): Promise<void> {
  const before = { answers: answers(), logged: requestsLogged() };
  const headers = { host: 'localhost:8443', origin, 'content-type': 'application/json' };
  const path = `/api/sign-in/${id}`;
  const sent = request({ host: '127.0.0.1', port: rig.port, method: 'POST', path, headers, agent: false });
  sent.on('error', () => undefined);
  sent.end(JSON.stringify({ kind: 'typed', answer: '123456' }));
  await until(() => answers() > before.answers, 60_000);
  sent.destroy();
  await until(() => requestsLogged() > before.logged, 60_000);
}

describe('an answer whose browser has ended the request', () => {
  const begin = () =>
    ask(rig, 'POST /api/sign-in', { body: { by: 'password', user: 'alice', password: 'right' } });

  it('is ended at sallyportd too, and is not a failure of the portal', async () => {
    rig.daemon.endless = true;
    await begin();
    await answerAndLeave('signin-1');
    rig.daemon.endless = false;
    assert.ok(!rig.logged.some((line) => line.includes('request-failed')));
    const again = await ask(rig, 'POST /api/sign-in/signin-1', { body: { kind: 'typed', answer: '123456' } });
    assert.equal(again.status, 200);
  });

  it('counts as a wrong one', async () => {
    rig.daemon.endless = true;
    await begin();
    for (let n = 0; n < limits.wrongAnswerRate.burst; n++) await answerAndLeave('signin-1');
    rig.daemon.endless = false;
    const next = await ask(rig, 'POST /api/sign-in/signin-1', { body: { kind: 'typed', answer: '0' } });
    assert.equal(codeIn(next), '429 too-many-attempts');
  });
});
