import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { cliMain } from '../../../support/cli-child.ts';
import { type ControlRig, startControl } from '../../../support/control-rig.ts';
import { Screen, type Theme, themes } from '../../../support/screen-picture.ts';

/** `factor add totp` on real terminals: the screen when it asks for the code. */

let rig: ControlRig;
before(async () => {
  rig = await startControl({
    config: 'issuer = "web1.example.org"\n[[realm]]\nname = "all"\nrequire = "none"\n',
  });
});
after(() => rig.close());

const question = /Code that the device shows now:/;
const secret = /^(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}$/m;

interface Seen {
  readonly text: string;
  readonly scanned: Readonly<Record<Theme, readonly string[]>>;
}

async function seenAt(columns: number, rows: number, environment: NodeJS.ProcessEnv = {}): Promise<Seen> {
  const argv = [process.execPath, cliMain, '--config', rig.configFile, 'factor', 'add', 'totp', 'alice'];
  const screen = new Screen(argv, { columns, rows }, { LC_ALL: 'C.UTF-8', NO_COLOR: '', ...environment });
  try {
    await screen.sees(question);
    return { text: screen.text(), scanned: { dark: screen.scan('dark'), light: screen.scan('light') } };
  } finally {
    screen.close();
  }
}

function isRead({ text, scanned }: Seen, theme: Theme): void {
  const [uri = ''] = scanned[theme];
  const [typed = ''] = secret.exec(text) ?? [];
  assert.equal(new URL(uri).searchParams.get('secret'), typed.replaceAll(' ', ''), `${theme}\n${text}`);
}

describe('the QR code of the command', () => {
  for (const [columns, rows] of [
    [80, 24],
    [80, 25],
    [200, 50],
    [45, 24],
  ] as const)
    it(`can be scanned at ${columns}x${rows}, with the secret and the prompt on the screen`, async () => {
      const seen = await seenAt(columns, rows);
      for (const theme of Object.keys(themes) as Theme[]) isRead(seen, theme);
      assert.match(seen.text, /Scan this/);
    });

  for (const [columns, rows] of [
    [40, 24],
    [80, 20],
  ] as const)
    it(`has no space at ${columns}x${rows}: the secret and a sentence`, async () => {
      const { text } = await seenAt(columns, rows);
      assert.doesNotMatch(text, /[█▀▄]/);
      assert.match(text.replace(/\n/g, ' '), /too small for a QR code/);
      assert.match(text, secret);
    });

  it('without colours can be scanned on dark and on light terminals alike', async () => {
    const seen = await seenAt(80, 24, { NO_COLOR: '1' });
    for (const theme of Object.keys(themes) as Theme[]) isRead(seen, theme);
  });

  it('is not drawn if the locale has no block characters: the secret and a sentence', async () => {
    for (const environment of [{ LC_ALL: 'C' }, { LC_ALL: '', LC_CTYPE: 'C', LANG: 'C.UTF-8' }]) {
      const { text } = await seenAt(80, 24, environment);
      assert.doesNotMatch(text, /[^\x20-\x7e\n]/);
      assert.match(text.replace(/\n/g, ' '), /locale cannot show a QR code/);
      assert.match(text, secret);
    }
  });
});
