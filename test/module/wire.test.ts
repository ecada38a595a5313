import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { compileSources, moduleDirectory, nativeTests, vectors, wireSources } from '../support/native.ts';
import { vectorBytes, vectorIndex } from '../support/vectors.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-wire-'));
const tool = path.join(directory, 'wire_tool');
const types: Record<string, number> = {
  INFO: 0x11,
  ERROR: 0x12,
  PROMPT: 0x13,
  WAIT: 0x14,
  RESULT: 0x15,
  WITHDRAW: 0x16,
};

function wireTool(args: readonly string[], input = ''): string {
  return execFileSync(tool, args, { input, encoding: 'utf8' });
}

/** name -> the rest of its line. */
function parsed(names: readonly string[]): Map<string, string> {
  const files = names.map((name) => path.join(vectors, name));
  const lines = wireTool(['parse', ...files])
    .trim()
    .split('\n');
  return new Map(lines.map((line, index) => [names[index] ?? '', line.slice(line.indexOf(' ') + 1)]));
}

before(async () => {
  const sources = [
    ...wireSources,
    path.join(moduleDirectory, 'context.c'),
    path.join(nativeTests, 'wire_tool.c'),
  ];
  await compileSources({ output: tool, sources, variant: 'asan', flags: ['-lpam'] });
});

after(() => rmSync(directory, { recursive: true, force: true }));

describe('the golden bytes, read by the module', () => {
  it('the index names every file', () => {
    const listed = (sub: string) =>
      readdirSync(path.join(vectors, sub)).filter((name) => name.endsWith('.hex'));
    assert.deepEqual(Object.keys(vectorIndex.frames).sort(), listed('.').sort());
    assert.deepEqual(Object.keys(vectorIndex.bad).sort(), listed('bad').sort());
  });

  it('every frame of the daemon is read as the index says, and refused if it is cut anywhere', () => {
    const good = Object.entries(vectorIndex.frames).filter(
      ([, { direction }]) => direction === 'daemon-to-module',
    );
    const lines = parsed(good.map(([name]) => name));
    for (const [name, { type, fields }] of good) {
      const { style = 0, code = 4, strip = 0, text = '' } = fields;
      const hex = Buffer.from(String(text)).toString('hex');
      const expected = `type=${types[type]} style=${style} code=${code} strip=${strip} text=${hex}`;
      assert.equal(lines.get(name), expected, name);
    }
  });

  it('every violation is refused', () => {
    const bad = Object.entries(vectorIndex.bad).filter(
      ([, { direction }]) => direction === 'daemon-to-module',
    );
    const lines = parsed(bad.map(([name]) => `bad/${name}`));
    for (const [name, { reason }] of bad)
      assert.equal(lines.get(`bad/${name}`), 'refused', `${name}: ${reason}`);
  });

  it('no frame of the module is taken from the daemon', () => {
    const own = Object.entries(vectorIndex.frames).filter(
      ([, { direction }]) => direction === 'module-to-daemon',
    );
    for (const [name, line] of parsed(own.map(([file]) => file))) assert.equal(line, 'refused', name);
  });
});

describe('the golden bytes, written by the module', () => {
  for (const name of ['hello-minimal.hex', 'hello-full.hex', 'hello-longest.hex', 'hello-terminal.hex']) {
    it(name, () => {
      const fields = Object.entries(vectorIndex.frames[name]?.fields ?? {});
      const built = wireTool(['hello', ...fields.map(([field, value]) => `${field}=${value}`)]);
      assert.equal(built, vectorBytes(name).toString('hex'));
    });
  }

  for (const name of ['answer-code.hex', 'answer-empty.hex', 'answer-longest.hex', 'answer-utf8.hex']) {
    it(name, () => {
      const hex = String(vectorIndex.frames[name]?.fields.bytes);
      assert.equal(wireTool(['answer', hex]), vectorBytes(name).toString('hex'));
    });
  }

  for (const name of ['cancel', 'withdrawn'])
    it(`${name}.hex`, () => assert.equal(wireTool([name]), vectorBytes(`${name}.hex`).toString('hex')));

  it('an oversized frame is rejected', () => {
    const lengths = wireTool(['no-room']).trim().split(' ').map(Number);
    lengths.forEach((length, size) => {
      assert.equal(length, size < 25 ? 0 : 25, `in ${size} bytes`);
    });
  });
});

describe('the session in /proc/self/cgroup', () => {
  const scope = '/user.slice/user-1000.slice/session-c2.scope';
  const cases: readonly (readonly [what: string, text: string, session: string])[] = [
    ['cgroup v2', '0::/user.slice/user-1000.slice/session-17.scope\n', '17'],
    ['no newline at the end', `0::${scope}`, 'c2'],
    ['a group below the scope', `0::${scope}/child\n`, 'c2'],
    ['cgroup v1', `12:pids:/user.slice\n1:name=systemd:${scope}\n0::/\n`, 'c2'],
    ['both hierarchies: the last', `1:name=systemd:/session-1.scope\n0::${scope}\n`, 'c2'],
    ['a service', '0::/system.slice/ssh.service\n', ''],
    ['the root group', '0::/\n', ''],
    ['nothing', '', ''],
    ['another controller of v1', `4:memory:${scope}\n`, ''],
    [
      'forged below the user manager',
      '0::/user.slice/user-1000.slice/user@1000.service/session-1.scope\n',
      '',
    ],
    [
      'forged in a slice of the user manager',
      '0::/user.slice/user@1000.service/app.slice/session-1.scope\n',
      '',
    ],
    ['forged below another scope', '0::/user.slice/tmux-1.scope/session-1.scope\n', ''],
    ['a slash in the name', '0::/user.slice/session-1/2.scope\n', ''],
    ['a dot in the name', '0::/user.slice/session-1.2.scope\n', ''],
    ['no name', '0::/user.slice/session-.scope\n', ''],
    ['only the beginning', '0::/user.slice/session-1.scopes\n', ''],
    ['128 characters', `0::/user.slice/session-${'7'.repeat(128)}.scope\n`, '7'.repeat(128)],
    ['129 characters', `0::/user.slice/session-${'7'.repeat(129)}.scope\n`, ''],
    ['a line without colons', `garbage\n0::${scope}\n`, 'c2'],
    ['a path that is none', '0::session-1.scope\n', ''],
  ];
  it('is the one that logind created', () => {
    const found = wireTool(['session'], cases.map(([, text]) => `${text}\0`).join('')).split('\n');
    cases.forEach(([what, , session], index) => {
      assert.equal(found[index], session, what);
    });
  });
});
