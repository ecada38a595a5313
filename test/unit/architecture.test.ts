import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { kinds } from '../../daemon/factors/kinds.ts';
import { projectRoot, writtenFiles } from '../support/project.ts';
import { loadScript } from './scripts/load.ts';

const files = writtenFiles();
const textOf = (path: string) => readFileSync(join(projectRoot, path), 'utf8');
const typescript = files.filter((path) => /\.tsx?$/.test(path));

interface Import {
  readonly from: string;
  /** A path from the root for files of the project, else the name of a package or a builtin. */
  readonly to: string;
  readonly typesOnly: boolean;
}

const clause =
  /^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|^import\s+()'([^']+)'|\bimport\(\s*()'([^']+)'/gm;

function importsOf(path: string): readonly Import[] {
  return [...textOf(path).matchAll(clause)].map((match) => {
    const target = match[2] ?? match[4] ?? match[6] ?? '';
    const to = target.startsWith('.') ? normalize(join(dirname(path), target)) : target;
    return { from: path, to, typesOnly: match[1] !== undefined };
  });
}

const imports = typescript.flatMap(importsOf);
const linesOf = (path: string) => textOf(path).split('\n').length - 1;

/** Files of less than 20 lines, and why they stand by themselves. */
const shortWithReason = {
  'daemon/host/process.ts': 'what the kernel says of this process; nothing else of host/ is about it',
  'daemon/lib/randomness.ts':
    'passed in wherever something is random, and imported by most modules for its type',
  'notify/limits.ts': 'every limit of a program lies in a file of this name',
  'portal/pages/main.tsx': 'where the bundle begins',
  'portal/settings-report.ts': 'a timer that a test runs without a portal',
};
const described = ({ from, to }: Import) => `${from} imports ${to}`;
const within = (directory: string) => (path: string) => path.startsWith(`${directory}/`);

/** The modules of daemon/, from the top: each imports from its own files and from modules below it. */
const layers = [
  'main',
  'runtime',
  'control',
  'maintenance',
  'admin',
  'sign-in',
  'ceremonies',
  'metrics',
  'client',
  'login',
  'api',
  'enrolment',
  'verifier',
  'authenticators',
  'store/leveldb',
  'store/sealed',
  'store',
  'policy',
  'config',
  'sealing',
  'factors',
  'audit',
  'host',
  'protocol',
  'lib',
  'limits',
] as const;

function layerOf(path: string): number {
  const [, first = '', second = '', third] = path.replace(/\.ts$/, '').split('/');
  const name = first === 'store' && third !== undefined ? `${first}/${second}` : first;
  const found = (layers as readonly string[]).indexOf(name);
  assert.notEqual(found, -1, `${path} is in no module of daemon/`);
  return found;
}

describe('the modules of the daemon', () => {
  const isDaemon = within('daemon');
  const inside = imports.filter(
    ({ from, to }) => isDaemon(from) && !to.startsWith('node:') && to.includes('.ts'),
  );

  it('import nothing from a module above them', () => {
    const upwards = inside.filter(({ from, to }) => layerOf(to) < layerOf(from)).map(described);
    assert.deepEqual(upwards, []);
  });

  it('import nothing from outside daemon/', () => {
    assert.deepEqual(inside.filter(({ to }) => !isDaemon(to)).map(described), []);
  });

  it('are found by this test', () => {
    assert.ok(inside.length > 50, `only ${inside.length} imports found`);
    assert.ok(
      inside.some(({ from, to }) => from === 'daemon/factors/totp.ts' && to === 'daemon/factors/otp.ts'),
    );
  });
});

/** Files that import one another, directly or through others (Tarjan's algorithm). */
function cyclesIn(importsBy: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    const place = order.size;
    order.set(file, place);
    open.push(file);
    let low = place;
    for (const other of importsBy.get(file) ?? []) {
      if (!order.has(other)) low = Math.min(low, visit(other));
      else if (open.includes(other)) low = Math.min(low, lowest.get(other) ?? order.get(other) ?? low);
    }
    lowest.set(file, low);
    if (low !== place) return low;
    const members = open.splice(open.indexOf(file));
    if (members.length > 1) found.push(members.sort());
    return low;
  };
  for (const file of importsBy.keys()) if (!order.has(file)) visit(file);
  return found;
}

describe('files of the product', () => {
  const product = typescript.filter((path) => /^(daemon|cli|portal|notify)\//.test(path));

  it('import one another in no circle, types included', () => {
    const importsBy = new Map(product.map((path) => [path, [] as string[]]));
    for (const { from, to } of imports) if (importsBy.has(to)) importsBy.get(from)?.push(to);
    assert.deepEqual(cyclesIn(importsBy), []);
    const circle = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', ['a']],
      ['d', []],
    ]);
    assert.deepEqual(cyclesIn(circle), [['a', 'b', 'c']]);
  });

  it('are a place worth looking up: 20 lines or more', () => {
    const short = product.filter((path) => linesOf(path) < 20);
    assert.deepEqual(short.sort(), Object.keys(shortWithReason).sort());
  });

  it('of the daemon lie in directories of at most 25 files and 3000 lines', () => {
    const directories = new Map<string, string[]>();
    for (const path of product.filter(within('daemon')))
      directories.set(dirname(path), [...(directories.get(dirname(path)) ?? []), path]);
    const large = [...directories].filter(
      ([, paths]) => paths.length > 25 || paths.reduce((sum, path) => sum + linesOf(path), 0) > 3_000,
    );
    assert.deepEqual(large, []);
  });
});

describe('what decides, stores and enrols', () => {
  const deciding = [
    'admin',
    'authenticators',
    'ceremonies',
    'enrolment',
    'policy',
    'sign-in',
    'store',
    'verifier',
  ].map((module) => within(`daemon/${module}`));
  const contract = 'daemon/host/contract.ts';
  /** The lock of the store's own directory. */
  const locks = 'daemon/store/leveldb/lock.ts imports daemon/host/addon.ts';

  it('knows no machine: of host/ it imports the contract', () => {
    const known = imports.filter(
      ({ from, to }) => deciding.some((module) => module(from)) && within('daemon/host')(to),
    );
    assert.ok(known.length > 15, String(known.length));
    assert.ok(known.every(({ typesOnly }) => typesOnly));
    const others = known.filter(({ to }) => to !== contract).map(described);
    assert.deepEqual(others, [locks]);
  });

  it('meets no implementation behind the contract, which is made of types', () => {
    const parts = new Set(importsOf(contract).map(({ to }) => to));
    const types = [contract, ...[...parts].filter(within('daemon/host'))];
    assert.equal(types.length, 3);
    for (const path of types) {
      assert.ok(
        importsOf(path).every(({ typesOnly }) => typesOnly),
        path,
      );
      assert.doesNotMatch(textOf(path), /^export (?!type\b|interface\b)/m, path);
    }
  });
});

describe('policy and factors', () => {
  const pure = typescript.filter((path) => within('daemon/policy')(path) || within('daemon/factors')(path));

  it('import nothing that reaches out of the process', () => {
    const allowed = /^(daemon\/|otplib$|@otplib\/|valibot$|node:crypto$|node:net$)/;
    const reaching = imports.filter(({ from, to }) => pure.includes(from) && !allowed.test(to));
    assert.deepEqual(reaching.map(described), []);
  });

  it('open no socket: of node:net they use what tells an address from a name', () => {
    for (const path of pure) {
      const names = /import \{([^}]*)\} from 'node:net'/.exec(textOf(path))?.[1]?.split(',') ?? [];
      for (const name of names)
        assert.match(name.trim(), /^(isIP|isIPv4|isIPv6|BlockList|SocketAddress|)$/, path);
    }
  });

  it('read no clock, no environment and no randomness', () => {
    const source =
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.|\bprocess\.|\brandom(Bytes|Int|UUID|FillSync)\b|\bsetTimeout\b/;
    for (const path of pure) {
      // randomInt may be the name of a parameter: what is passed in is allowed, what is imported is not.
      const code = textOf(path)
        .replace(/\brandomInt\b(?=[:(])/g, 'passedIn')
        // What otplib wants a function for, and must never call.
        .replace(/\brandomBytes(?=: \(\) => \{\s+throw )/g, 'refused')
        .replace(/^\s*(\*|\/\/|\/\*).*$/gm, '');
      assert.doesNotMatch(code, source, path);
    }
    for (const { from, to } of imports.filter(
      ({ from, to }) => pure.includes(from) && to === 'node:crypto',
    )) {
      assert.doesNotMatch(textOf(from), /import \{[^}]*random[^}]*\} from 'node:crypto'/, `${from} ${to}`);
    }
  });
});

/** Where a string is spelt like a kind, and what it is instead; these are not about kinds, or name those of a format. */
const otherWords = {
  'cli/commands/import.ts': 'a format, which is called u2f',
  'cli/commands/realm.ts': 'settings of a realm, as `realm show` lists them',
  'cli/demo.ts': 'a command line',
  'cli/demo/self-test.ts': 'command lines, and a strategy of otplib',
  'cli/import/': "each format names the kinds that it has, in the format's own words",
  'daemon/config/': 'settings of a realm, with their line numbers',
  'daemon/runtime/warm-up.ts': 'the factor of its own logins',
  'daemon/sealing/': 'a purpose of derived keys',
};

describe('a kind of factor', () => {
  const literal = new RegExp(`['"](${Object.keys(kinds).join('|')})['"]`);
  const product = typescript.filter((path) => /^(daemon|portal|cli|notify|man)\//.test(path));

  it('is named by its own file, and in the tables of commands and dialogs', () => {
    const tables = ['cli/factors.ts', 'portal/pages/factors/kinds.ts'];
    const naming = product.filter((path) => {
      // Keys of types are settings of a realm: Pick<Realm, 'totp'>, Table['totp']. Derived keys and CSS have names too.
      const code = textOf(path)
        .replace(/^\s*(\*|\/\/|\/\*).*$/gm, '')
        .replace(/Pick<[^>]*>|\['[^']*'\]|keyedHash\('[^']*'\)|class="[^"]*"/g, '');
      return literal.test(code) && !within('daemon/factors')(path);
    });
    for (const table of tables) assert.ok(naming.includes(table), table);
    const others = naming.filter((path) => !tables.includes(path));
    const reasons = Object.keys(otherWords);
    assert.deepEqual(
      others.filter((path) => !reasons.some((where) => path.startsWith(where))),
      [],
    );
    assert.deepEqual(
      reasons.filter((where) => !others.some((path) => path.startsWith(where))),
      [],
      'a reason that is not needed any more',
    );
  });
});

describe('docs/layout.md', () => {
  const page = textOf('docs/layout.md');

  it('lists the modules of daemon/ in their order', () => {
    const table = /^\| module \| holds \|\n(?:\|.*\n)*/m.exec(page)?.[0] ?? '';
    const rows = [...table.matchAll(/^\| `([a-z/-]+?)(?:\/|\.ts)`/gm)].map(([, name]) => name);
    assert.deepEqual(rows, layers);
  });

  it('names no file that does not exist', () => {
    const there = new Set(files.map((path) => basename(path)));
    const named = [...page.matchAll(/`(?:[a-z/]*\/)?([a-z-]+\.tsx?)`/g)].map(([, name]) => name ?? '');
    assert.ok(named.length > 20, String(named.length));
    assert.deepEqual(
      named.filter((name) => !there.has(name)),
      [],
    );
  });
});

describe('docs/design.md', () => {
  const page = textOf('docs/design.md');
  const rules = page.split(/^## (?=\d+\. )/m).slice(1);

  it('numbers its rules in order, and names code and tests of each', () => {
    assert.deepEqual(
      rules.map((rule) => Number.parseInt(rule, 10)),
      rules.map((_, at) => at + 1),
    );
    for (const rule of rules) {
      assert.match(rule, /^- Code: `/m, rule.slice(0, 40));
      assert.match(rule, /^- Tests: `test\//m, rule.slice(0, 40));
    }
  });

  it('names files that exist', () => {
    const named = [...page.matchAll(/`((?:daemon|native|portal|test)\/[^`]*)`/g)].map(
      ([, path]) => path ?? '',
    );
    assert.ok(named.length > 60, String(named.length));
    assert.deepEqual(
      named.filter(
        (path) => !files.some((file) => file === path || (path.endsWith('/') && file.startsWith(path))),
      ),
      [],
    );
  });

  it('has every rule that the code cites', () => {
    for (const path of files.filter((file) => /\.(tsx?|c|h)$/.test(file)))
      for (const [, first = '', , last = first] of textOf(path).matchAll(
        /design, rules? (\d+)( to | and |, )?(\d+)?/g,
      ))
        assert.ok(
          Number(first) >= 1 && Number(last) <= rules.length,
          `${path} cites rule ${first} to ${last}`,
        );
  });
});

describe('portal, notify and cli', () => {
  it('import api/, client/, lib/ and types from the daemon, and nothing else', () => {
    const outside = imports.filter(
      ({ from, to }) =>
        ['cli', 'portal', 'notify'].some((room) => within(room)(from)) && within('daemon')(to),
    );
    const wrong = outside.filter(
      ({ to, typesOnly }) =>
        !['api', 'client', 'lib'].some((module) => within(`daemon/${module}`)(to)) && !typesOnly,
    );
    assert.deepEqual(wrong.map(described), []);
  });
});

describe('every deadline', () => {
  const product = typescript.filter((path) => /^(daemon|portal|cli|notify|man)\//.test(path));
  const codeOf = (path: string) => textOf(path).replace(/^\s*(\/?\*|\/\/).*$/gm, '');

  it('hangs on nothing that the garbage collector may take', () => {
    assert.ok(product.length > 200, String(product.length));
    const weak =
      /\bAbortSignal\s*\.\s*(timeout|any)\b|\bWeakRef\b|\bFinalizationRegistry\b|\bsetTimeout\([^;]*\bresolve\b[^;]*\.unref\(\)/;
    assert.deepEqual(
      product.filter((path) => weak.test(codeOf(path))),
      [],
    );
  });

  it('of a wait is that of daemon/lib/deadline.ts', () => {
    const own = product.filter((path) => /\bPromise\s*\.\s*race\b/.test(codeOf(path)));
    // An interrupt by the person at the terminal is no deadline.
    assert.deepEqual(own, ['cli/commands/factor-add-key.ts', 'daemon/lib/deadline.ts']);
  });
});

describe('every file', () => {
  it('has no default export', () => {
    const exporting = typescript.filter((path) => /^export default\b|\bas default\b/m.test(textOf(path)));
    assert.deepEqual(exporting, []);
  });

  it('of the program has at most 300 lines', () => {
    const program = files.filter((path) => /\.(ts|tsx|css|mjs|c|cc|h)$/.test(path) && !within('test')(path));
    const long = program.filter((path) => textOf(path).split('\n').length > 301);
    assert.deepEqual(long, []);
  });

  it('speaks of the project alone', () => {
    const words = [
      ['/work', '/'],
      ['registry', '.npm'],
      ['deb', '.debian'],
      ['../', 'shared'],
    ].map((parts) => parts.join(''));
    const found = files.flatMap((path) => {
      const text = textOf(path);
      return words.filter((word) => text.includes(word)).map((word) => `${path}: ${word}`);
    });
    assert.deepEqual(found, []);
  });

  it('of tests runs, skips nothing and owes nothing', () => {
    const owed = /\b(test|it|describe)\.(skip|todo|only)\b|\bskip: *true|\bTO[D]O\b|\bFIX[M]E\b/;
    assert.deepEqual(
      files.filter((path) => /\.(ts|tsx|mjs|c|cc|h|sh)$/.test(path) && owed.test(textOf(path))),
      [],
    );
  });
});

describe('what is not ours', async () => {
  const packageJson = JSON.parse(textOf('package.json'));
  const page = textOf('docs/explanation/dependencies.md');
  const rowOf = (name: string) => page.split('\n').find((line) => line.startsWith(`| \`${name}\` |`)) ?? '';
  const npm = Object.entries<string>({ ...packageJson.dependencies, ...packageJson.devDependencies });

  it('is pinned exactly, and fetched from nowhere in particular', async () => {
    const { pinFaults } = await loadScript<{ pinFaults(a: unknown, b: unknown): readonly string[] }>(
      'lib/pins.mjs',
    );
    assert.deepEqual(pinFaults(packageJson, JSON.parse(textOf('package-lock.json'))), []);
  });

  it('has a row in docs/explanation/dependencies.md, npm packages with their version', () => {
    for (const [name, version] of npm)
      assert.match(rowOf(name), new RegExp(`\\| ${version.replaceAll('.', '\\.')} \\|`), name);
  });

  it('has a row there for each Debian package', async () => {
    const { packagesFor } = await loadScript<{ packagesFor: Record<string, readonly { name: string }[]> }>(
      'lib/packages.mjs',
    );
    for (const { name } of Object.values(packagesFor).flat()) assert.notEqual(rowOf(name), '', name);
  });

  it('is really imported, if it is there for running', () => {
    const used = new Set(imports.map(({ to }) => to));
    for (const name of Object.keys(packageJson.dependencies))
      assert.ok(used.has(name), `${name} is imported nowhere`);
  });
});
