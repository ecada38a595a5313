import { fc } from '../property.ts';
import {
  addFactor,
  bypass,
  type Command,
  changeFactor,
  clock,
  command,
  directory,
  directoryAnswers,
  exempt,
  forget,
  guesses,
  logsIn,
  logsInAgain,
  minute,
  move,
  races,
  reload,
  reloadBad,
  restart,
  uidOf,
  unlock,
  users,
} from './commands.ts';
import {
  type Action,
  failures,
  type Login,
  type Realm,
  type Rule,
  type Service,
  type Source,
} from './reference.ts';
import { backup, restore } from './restoring.ts';
import { login, type Typed } from './world.ts';

const user = fc.constantFrom(...users);
const service = fc.constantFrom<Service>('sshd', 'sudo');
const source = fc.constantFrom<Source>('inside', 'outside');
const loginOf: fc.Arbitrary<Login> = fc.record({
  user: fc.oneof({ weight: 12, arbitrary: user }, { weight: 1, arbitrary: fc.constant('mallory') }),
  service,
  source,
});
const right = fc.constantFrom<Typed>('totp', 'totp', 'hotp', 'recovery', 'bypass');
const typed = fc.oneof(
  right.map((one) => [one]),
  right.map((one): Typed[] => ['wrong', one]),
  fc.constantFrom<Typed[]>(['replay'], ['wrong'], ['wrong', 'wrong too'], ['wrong key'], ['junk']),
);

const rule: fc.Arbitrary<Rule> = fc.record(
  { service, from: source, action: fc.constantFrom<Action>('skip', 'ask', 'refuse', 'remember', 'remember') },
  { requiredKeys: ['action'] },
);
/** A rule that could never match is not a valid configuration. */
const covers = (a: Rule | undefined, b: Rule | undefined): boolean =>
  a !== undefined &&
  b !== undefined &&
  (a.service === undefined || a.service === b.service) &&
  (a.from === undefined || a.from === b.from);
const rules = fc.oneof(
  fc.array(rule, { maxLength: 2 }).filter(([a, b]) => !covers(a, b)),
  fc.constant([{ action: 'remember' as const }]),
);
const realm = fc
  .record({
    require: fc.constantFrom<Realm['require']>('none', 'any', 'totp', 'totp', 'yubikey'),
    enrol: fc.constantFrom<Realm['enrol']>('refuse', 'grace'),
    observe: fc.integer({ min: 0, max: 9 }).map((n) => n === 9),
    rules,
  })
  .map((one): Omit<Realm, 'name'> => ({ ...one, enrol: one.require === 'none' ? 'refuse' : one.enrol }));
/** The first realm has one account or both; the last has the rest. */
export const realms: fc.Arbitrary<readonly Realm[]> = fc
  .tuple(fc.subarray([...users], { minLength: 1 }), realm, realm)
  .map(([members, first, last]) => [
    { ...first, name: 'first', users: members },
    { ...last, name: 'last' },
  ]);

const kind = fc.constantFrom('totp' as const, 'hotp' as const, 'recovery' as const);
const change = fc.constantFrom('enable' as const, 'disable' as const, 'remove' as const);
const moves = [30_000, 90_000, 5 * minute, 20 * minute, 70 * minute, 3 * 60 * minute, -45_000, -90 * minute];

/** A change, and often a login from the same place as before it: what a change must end shows there. */
function thenAgain(change: fc.Arbitrary<Command>): fc.Arbitrary<Command> {
  return fc.tuple(change, fc.option(typed)).map(([first, answers]) => {
    if (answers === null) return first;
    return command(`${first}, login as before ${answers}`, async (model, system) => {
      await first.run(model, system);
      if (model.last !== undefined) await login(model, system, model.last, answers);
    });
  });
}

/** A lock, a clock that is set back, and the time that a lock lasts from then on. */
function lockedWithClockBack(given: Login): Command {
  return command(`lock, then set the clock back ${JSON.stringify(given)}`, async (model, system) => {
    for (let each = 0; each < failures.all; each += 1) await login(model, system, given, ['wrong key']);
    for (const ms of [-90 * minute, 70 * minute]) {
      await clock(ms).run(model, system);
      await login(model, system, given, ['recovery']);
    }
  });
}

/** What was used after the backup is not good again after the restore. */
function usedThenRestored(given: Login, answer: Typed): Command {
  return command(`restore behind ${answer} ${JSON.stringify(given)}`, async (model, system) => {
    await backup.run(model, system);
    await login(model, system, given, [answer]);
    await restore.run(model, system);
    await login(model, system, given, ['replay']);
  });
}

/** @param onDisk whether there is a store that can be backed up */
export function commandsFor(onDisk: boolean): fc.Arbitrary<Command>[] {
  const logins = fc.tuple(loginOf, typed).map(([given, answers]) => logsIn(given, answers));
  const changes = [
    fc.tuple(user, kind).map(([who, what]) => addFactor(who, what)),
    fc.tuple(user, fc.nat(2), change).map(([who, at, what]) => changeFactor(who, at, what)),
    fc.tuple(user, fc.nat(2), change).map(([who, at, what]) => changeFactor(who, at, what)),
    user.map(bypass),
    user.map(unlock),
    fc.tuple(user, fc.boolean()).map(([who, isOn]) => exempt(who, isOn)),
    user.map(forget),
    user.map(move),
    realms.map(reload),
    fc.constantFrom(
      reloadBad,
      restart,
      directoryAnswers(false),
      directoryAnswers(true),
      directoryAnswers(true),
    ),
    fc.constantFrom(...moves.map(clock)),
    fc.constantFrom(...moves.map(clock)),
    fc
      .tuple(user, fc.constantFrom('own', 'own', 'gone', 'other'))
      .map(([who, what]) =>
        directory(who, what === 'gone' ? undefined : uidOf[who] + (what === 'other' ? 500 : 0)),
      ),
    ...(onDisk ? [fc.constant(backup), fc.constant(restore)] : []),
    ...(onDisk ? [fc.tuple(loginOf, right).map(([given, answer]) => usedThenRestored(given, answer))] : []),
  ];
  return [
    ...[logins, logins, logins],
    ...[typed, typed].map((answers) => answers.map(logsInAgain)),
    fc
      .tuple(loginOf, fc.constantFrom<Typed>('wrong', 'wrong key'), fc.integer({ min: 2, max: 5 }))
      .map(([given, answer, times]) => guesses(given, answer, times)),
    fc.tuple(loginOf, right).map(([given, answer]) => races(given, answer)),
    loginOf.map(lockedWithClockBack),
    ...changes.map(thenAgain),
  ];
}

/** Sequences in which the two once differed, and what went wrong. */
export const faults: readonly {
  readonly what: string;
  readonly commands: readonly Command[];
  readonly onDisk?: boolean;
}[] = [
  {
    what: 'a factor is added to the record of another uid',
    commands: [addFactor('bob', 'totp'), directory('bob', 1501), addFactor('bob', 'totp')],
  },
  {
    what: 'a backup brings back an account that was forgotten since',
    commands: [backup, forget('bob'), restore, forget('bob')],
    onDisk: true,
  },
  {
    what: 'the code accepted last comes again where the account has two tokens',
    commands: [
      addFactor('alice', 'totp'),
      backup,
      logsIn({ user: 'alice', service: 'sshd', source: 'inside' }, ['totp']),
      logsIn({ user: 'alice', service: 'sshd', source: 'inside' }, ['wrong', 'totp']),
      restore,
    ],
    onDisk: true,
  },
  {
    what: 'a code of a restored token comes again where the account has a newer one',
    commands: [
      backup,
      logsIn({ user: 'alice', service: 'sshd', source: 'inside' }, ['totp']),
      restore,
      addFactor('alice', 'totp'),
      logsIn({ user: 'alice', service: 'sshd', source: 'inside' }, ['recovery']),
      logsIn({ user: 'alice', service: 'sshd', source: 'inside' }, ['totp']),
      restore,
    ],
    onDisk: true,
  },
  {
    what: 'a second restore came behind a clock that was set back',
    commands: [
      backup,
      restore,
      clock(-20 * minute),
      backup,
      restore,
      clock(20 * minute),
      races({ user: 'alice', service: 'sshd', source: 'inside' }, 'totp'),
    ],
    onDisk: true,
  },
  {
    what: 'a set of recovery keys that a restore has voided was the only enabled factor',
    commands: [
      addFactor('bob', 'recovery'),
      reload([{ name: 'all', require: 'none', enrol: 'refuse', observe: false, rules: [] }]),
      backup,
      forget('bob'),
      restore,
      changeFactor('bob', 1, 'enable'),
      logsIn({ user: 'bob', service: 'sshd', source: 'inside' }, ['recovery']),
    ],
    onDisk: true,
  },
];

/** What every sequence begins with: factors to log in with. */
export const beginning: readonly Command[] = [
  addFactor('alice', 'totp'),
  addFactor('alice', 'hotp'),
  addFactor('alice', 'recovery'),
  addFactor('bob', 'totp'),
];
