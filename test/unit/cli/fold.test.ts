import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { lastWords } from '../../../cli/demo/last-words.ts';
import { widthOf } from '../../../cli/lib/columns.ts';
import { fold, foldCommand, foldText } from '../../../cli/lib/fold.ts';
import { cliMain } from '../../support/cli-child.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { Screen } from '../../support/screen-picture.ts';
import { paper, phone } from '../control/records.ts';

const columns = 80;
const wordsIn = (text: string) => text.split(/\s+/).filter((word) => word !== '' && word !== '\\');

describe('text on a terminal', () => {
  it('is broken between words, and indented to the column of the value', () => {
    const said = `decision    ${'a second factor is asked for, '.repeat(6)}`.trimEnd();
    const lines = fold(said, columns);
    assert.ok(lines.length > 1);
    for (const line of lines) assert.ok(widthOf(line) <= columns, line);
    for (const line of lines.slice(1)) assert.match(line, /^ {12}\S/);
    assert.equal(lines.map((line) => line.trim()).join(' '), said);
  });

  it('has the value below its name if there is no space beside it', () => {
    assert.deepEqual(fold('  completion <shell>      what a shell reads to complete', 40), [
      '  completion <shell>',
      '      what a shell reads to complete',
    ]);
  });

  it('keeps a word longer than the line whole: an address is copied from there', () => {
    const address = `https://login.example.org/approve#${'7k3wq0v9m2x5c8dh'.repeat(6)}`;
    assert.ok(fold(`open ${address} now`, columns).includes(address));
  });

  it('indents a word less if it would not fit otherwise', () => {
    const path = `/etc/${'x'.repeat(30)}`;
    assert.deepEqual(fold(`           mend:   look at ${path}`, 40, 19), [
      '           mend:   look at',
      `     ${path}`,
    ]);
  });

  it('is unchanged if it fits, and if the width is unknown', () => {
    const long = 'word '.repeat(40).trimEnd();
    assert.deepEqual(fold(long, undefined), [long]);
    assert.deepEqual(fold(long, 0), [long]);
    assert.deepEqual(fold('name  value', 0), ['name  value']);
    assert.deepEqual(fold('  two  spaces', columns), ['  two  spaces']);
    assert.equal(foldText(`${long}\n${long}`, undefined), `${long}\n${long}`);
  });

  it('counts letters of two columns as two', () => {
    for (const line of fold('名前 '.repeat(30).trimEnd(), 40)) assert.ok(widthOf(line) <= 40, line);
  });

  const word = fc.oneof(fc.stringMatching(/^[a-z0-9名/.,;:-]{1,50}$/), fc.constant('sallyport'));
  const text = fc.tuple(fc.constantFrom('', '  ', 'name   '), fc.array(word, { maxLength: 40 }));

  it('is never wider than the terminal except for one word, and no word is missing or broken', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 20, max: 200 }), ([lead, words], width) => {
        const said = lead + words.join(' ');
        for (const lines of [fold(said, width), foldCommand(said, width)]) {
          for (const line of lines)
            assert.ok(widthOf(line) <= width || wordsIn(line).length === 1, `${width}: ${line}`);
          assert.deepEqual(lines.flatMap(wordsIn), wordsIn(said));
        }
      }),
    );
  });
});

describe('a paragraph that was wrapped by hand', () => {
  it('is wrapped again if it is too wide, and unchanged if it fits', () => {
    const written = `${'one two three four five '.repeat(4)}six\n${'seven eight '.repeat(3)}nine\n\nOptions:\n  -a  b`;
    assert.equal(foldText(written, 120), written);
    const [first = '', second = ''] = foldText(written, 60).split('\n');
    assert.ok(first.length > 50 && second.length > 50, `${first}\n${second}`);
    assert.match(foldText(written, 60), /nine\n\nOptions:\n {2}-a {2}b$/);
  });

  it('is not a list of names and commands', () => {
    const list = `bash:  ${'one '.repeat(12)}\nzsh:   two`;
    assert.match(foldText(list, 40), /\nzsh: {3}two$/);
  });
});

/** The words that a shell makes of a command. */
function shellWords(lines: readonly string[]): readonly string[] {
  const script = lines.join('\n').replace(/^ *\S+/, "printf '%s\\n'");
  return execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).trimEnd().split('\n');
}

describe('a command to copy', () => {
  const command = 'sallyport pam enable sshd --with password --try 10m';

  it('is on one line if it fits', () => {
    for (let width = command.length + 1; width <= 200; width += 1) {
      const lines = fold(`           mend:   for ten minutes at first: ${command}; then look`, width, 19);
      assert.ok(
        lines.some((line) => line.includes(command)),
        `${width}\n${lines.join('\n')}`,
      );
    }
  });

  it('is one shell command if it does not', () => {
    const long = `  node dist/cli/main.js --config /home/a/sallyport/etc/sallyport.toml explain a --service sshd`;
    for (let width = 40; width <= 200; width += 1) {
      assert.deepEqual(shellWords(foldCommand(long, width)), shellWords([long]));
      const said = fold(`next: ${command}`, width);
      const from = said.findIndex((line) => /^(?:next: )?sallyport/.test(line));
      const copied = said.slice(from).join('\n').replace('next: ', '');
      assert.deepEqual(shellWords([copied]), shellWords([command]), `${width}`);
    }
  });
});

describe('the last words of npm start', () => {
  const cli = 'node dist/cli/main.js --config /home/somebody/src/sallyport/.sallyport/etc/sallyport.toml';
  const said = (width: number | undefined) => lastWords(cli, 'somebody', 'http://localhost:8866', width);

  it('fit terminals, with unbroken words', () => {
    for (const width of [40, 80, 100, 200]) {
      for (const line of said(width).split('\n'))
        assert.ok(widthOf(line) <= width || wordsIn(line).length === 1, `${width}: ${line}`);
      assert.deepEqual(wordsIn(said(width)), wordsIn(said(undefined)));
    }
  });

  it('contain every command whole, as a shell reads it', () => {
    const commands = (text: string) => text.match(/^ {2}(?:node|sallyport) (?:.*\\\n)*.*$/gm) ?? [];
    const whole = commands(said(undefined)).map((line) => shellWords([line]));
    assert.equal(whole.length, 5);
    for (const width of [40, 80, 200])
      assert.deepEqual(
        commands(said(width)).map((line) => shellWords([line])),
        whole,
      );
  });

  it('are unchanged in pipes', () => {
    assert.match(said(undefined), /for ten minutes\. The change is\nrolled back unless/);
    assert.ok(said(undefined).includes(`  ${cli} explain somebody --service sshd --from 192.0.2.7\n`));
  });
});

describe('the command on narrow terminals', () => {
  let rig: ControlRig;
  before(async () => {
    rig = await startControl({ config: '[[realm]]\nname = "all"\nrequire = "none"\n' });
  });
  after(() => rig.close());

  async function sees(words: readonly string[], width: number, pattern: RegExp): Promise<void> {
    // tmux scrolls what is visible once the program of a pane has ended.
    const argv = ['/bin/sh', '-c', '"$@"; read -r _', 'sh', process.execPath, cliMain];
    argv.push('--config', rig.configFile, ...words);
    const screen = new Screen(argv, { columns: width, rows: 100 }, { LC_ALL: 'C.UTF-8' });
    try {
      await screen.sees(pattern);
    } finally {
      screen.close();
    }
  }

  it('shows its help with unbroken words', () =>
    sees(
      ['--help'],
      80,
      /^ +--offline +Open the store directly while sallyportd is\n +stopped \(root only\)$/m,
    ));

  it('shows an error with unbroken words', () =>
    sees(
      ['realm', 'show', 'a realm of a rather long name'],
      40,
      /realm\s+not\s+found;\s+run:\s+sallyport realm list/,
    ));

  it('asks with unbroken words, and space for the answer after the question', async () => {
    await rig.store.put('alice', { factors: [phone, paper] });
    const question = /Remove\s(?:\S+\s)+permanently\?\s\[y\/N\]/;
    const words = ['factor', 'remove', 'alice', 'paper'];
    for (const width of [40, 50]) {
      const argv = [process.execPath, cliMain, '--config', rig.configFile, ...words];
      const screen = new Screen(argv, { columns: width, rows: 24 }, { LC_ALL: 'C.UTF-8' });
      try {
        await screen.sees(question);
        // Not yes: the next round asks about the same factor.
        screen.send('no');
        await screen.sees(/\[y\/N\] no$/m);
      } finally {
        screen.close();
      }
    }
  });
});
