import type { Socket } from 'node:net';
import { messageOf, SallyportError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { limits } from '../limits.ts';
import {
  answersOf,
  type Code,
  encodeAsk,
  encodeLook,
  sourceFits,
  userFits,
  VerdictReader,
} from '../protocol/password.ts';
import { type HelperEndpoint, type HelperProcess, openHelper } from './helper-process.ts';
import { decidesByShadow } from './password-service.ts';
import type { PasswordHelper, PasswordQuestion } from './passwords.ts';
import { peerOf } from './peer-credentials.ts';

export interface PasswordHelperOptions {
  /** confdir: the directory of the service file below a root directory; undefined: the system's. */
  readonly where: { readonly program: string; readonly confdir?: string } | { readonly socket: string };
  readonly log: Log;
  /** Milliseconds until a check is given up; tests have no 10 seconds. */
  readonly patience?: number;
}

/**
 * One process of the helper.
 *
 * Invariants:
 * - there is one verdict, and it comes: a helper that dies, breaks the protocol or is late has failed;
 * - every copy of the password that we have made is wiped;
 * - the process is ended with its verdict, or as far as a socket can be.
 */
class Check<Answer extends Code> {
  readonly #settle: (answer: Answer | 'failed') => void;
  readonly #log: Log;
  readonly #reader: VerdictReader<Answer>;
  readonly #late: NodeJS.Timeout;
  /** Holds the password. */
  readonly #frame: Buffer;
  #line: HelperProcess | undefined;
  #settled = false;

  constructor(
    log: Log,
    patience: number,
    { frame, answers }: { readonly frame: Buffer; readonly answers: readonly Answer[] },
    settle: (answer: Answer | 'failed') => void,
  ) {
    this.#log = log;
    this.#reader = new VerdictReader(answers);
    this.#settle = settle;
    this.#frame = frame;
    this.#late = setTimeout(() => this.#fail('it is late'), patience);
  }

  start(place: HelperEndpoint): void {
    try {
      this.#line = openHelper(
        place,
        {},
        {
          heard: (chunk) => this.#heard(chunk),
          closed: (why) => this.#fail(why),
        },
      );
      this.#line.write(this.#frame, () => this.#frame.fill(0));
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  #heard(chunk: Buffer): void {
    if (this.#settled) return;
    try {
      const verdict = this.#reader.push(chunk);
      if (verdict === 'failed') this.#fail("PAM failed; the system's log says how");
      else if (verdict !== undefined) this.#end(verdict);
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  #fail(detail: string): void {
    if (this.#settled) return;
    this.#log.warning('password-helper-failed', { detail });
    this.#end('failed');
  }

  #end(verdict: Answer | 'failed'): void {
    this.#settled = true;
    clearTimeout(this.#late);
    this.#frame.fill(0);
    // Nothing is left for it to do; the one behind a socket ends by its own alarm.
    this.#line?.kill();
    this.#settle(verdict);
  }
}

/** Root is the service manager; what runs as ourselves could read our memory anyway. */
function approve(connection: Socket): void {
  const { uid } = peerOf(connection);
  if (uid !== 0 && uid !== process.geteuid?.())
    throw new SallyportError('peer-unknown', `uid ${uid} listens there: it gets no password`);
}

function placeOf(where: PasswordHelperOptions['where']): HelperEndpoint {
  if ('socket' in where) return { socket: where.socket, approve };
  const { program, confdir } = where;
  return { program, args: confdir === undefined ? [] : ['--confdir', confdir] };
}

/** Undefined: no account has such a name, or no account such a password. */
function frameOf({ user, password, source }: PasswordQuestion, deadline: number): Buffer | undefined {
  const [name, from] = [Buffer.from(user), source === undefined ? undefined : Buffer.from(source)];
  if (!userFits(name) || password.length === 0 || password.length > limits.passwordLength) return undefined;
  // It is only for PAM's log.
  const named = from !== undefined && sourceFits(from) ? { source: from } : {};
  return encodeAsk({ user: name, password, deadline, ...named });
}

/** Where PAM finds the service file that the helper uses, first to last. */
function serviceDirectories(where: PasswordHelperOptions['where']): readonly string[] {
  return 'program' in where && where.confdir !== undefined
    ? [where.confdir]
    : ['/etc/pam.d', '/usr/lib/pam.d'];
}

/** Asks `sallyport-password`: as installed behind a socket that starts one for each connection, else a program. */
export function createPasswordHelper(options: PasswordHelperOptions): PasswordHelper {
  const { log, patience = limits.passwordWait } = options;
  const place = placeOf(options.where);
  const deadline = Math.max(patience, limits.shortestPasswordDeadline);
  let underWay = 0;

  const run = async <Answer extends Code>(
    frame: Buffer,
    answers: readonly Answer[],
  ): Promise<Answer | 'failed' | 'busy'> => {
    if (underWay >= limits.passwordChecks) {
      frame.fill(0);
      return 'busy';
    }
    underWay += 1;
    const answer = await new Promise<Answer | 'failed'>((settle) => {
      new Check(log, patience, { frame, answers }, settle).start(place);
    });
    underWay -= 1;
    return answer;
  };

  return {
    check(question) {
      // The one copy that is needed is made before anything is awaited.
      const frame = frameOf(question, deadline);
      question.password.fill(0);
      return frame === undefined ? Promise.resolve('wrong') : run(frame, answersOf.ask);
    },
    async lacksPassword(user) {
      const name = Buffer.from(user);
      if (!userFits(name) || !(await decidesByShadow(serviceDirectories(options.where)))) return false;
      return (await run(encodeLook({ user: name, deadline }), answersOf.look)) === 'none';
    },
  };
}
