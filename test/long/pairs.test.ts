import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { expectationOf } from '../support/pairs/expectation.ts';
import { happens, logIn, prepareAccount, realmText, ways } from '../support/pairs/journey.ts';
import { coveringRows, type Row } from '../support/pairs/table.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson } from '../support/rig/people.ts';
import { portalTables, startPortal } from '../support/rig/portal.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';

/**
 * Journeys through a real sshd, a real su and the portal: service, realm, state of the account and concurrent actions
 * of the administrator, covering every pair of them (test/vectors/pairs.json).
 */
const rest = '[[realm]]\nname = "rest"\nrequire = "none"\n';

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(`${portalTables}\n${rest}`);
  writeFileSync('/run/rig/passphrase', 'a passphrase for backups\n', { mode: 0o600 });
  useSnippet('su', 'sallyport-su');
  makeSshKeys();
  for (const { port, dropIn } of Object.values(ways)) await startSshd(port, dropIn);
  await startPortal(product);
  const caller = addPerson('caller');

  const walk = async (row: Row, user: string): Promise<void> => {
    const realms = `${realmText(user, row)}\n${rest}`;
    product.writeRealms(realms);
    await product.must(['reload', '--yes']);
    const prepared = await prepareAccount(product, user, row);
    const expected = expectationOf(row);
    let seen = await logIn(row, caller, prepared, () => happens(product, user, row, realms));
    // At the prompt a restart ends the login; the user starts again.
    if (row.meanwhile === 'restart' && seen.asked)
      seen = await logIn(row, caller, prepared, async () => undefined);
    assert.equal(seen.isIn, expected.ending !== 'out', `${expected.ending} expected\n${seen.transcript}`);
    assert.equal(seen.asked, expected.asks, seen.transcript);
  };

  for (const [at, row] of coveringRows().entries())
    scenario(product, Object.values(row).join(', '), () => walk(row, `person${at}`));
});
