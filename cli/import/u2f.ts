import type { PortableFactor } from '../../daemon/api/account-views.ts';
import { readU2f } from '../../daemon/client/factor-input.ts';
import { found, type Parsed, type Parser, problem, type Source, type Unsupported } from './contract.ts';

/** The authfile of pam_u2f: `user:credential[:credential…]`; of several lines for one user the last one applies. */
export function u2f({ user, appId }: { readonly user?: string; readonly appId: string }): Parser {
  return async function* parse(source) {
    const last = await lastLines(source);
    for await (const { text, number } of source.lines()) {
      if (number === 1 && text?.startsWith('-----BEGIN OPENSSH PRIVATE KEY') === true) {
        yield problem(
          { file: source.file },
          'this is an SSH key (sshformat); add its .pub file: sallyport factor add ssh-sk',
          user,
        );
        return;
      }
      if (text === undefined) {
        yield problem({ file: source.file, line: number }, 'the line is too long');
        continue;
      }
      if (text.trim() === '' || text.startsWith('#')) continue;
      const [name = '', ...credentials] = text.trim().split(/:+/);
      if (user !== undefined && user !== name) continue;
      if (last.get(name) === number) yield lineOf(source, number, name, credentials, appId);
    }
  };
}

/** The number of the applicable line for each name. */
async function lastLines(source: Source): Promise<ReadonlyMap<string, number>> {
  const last = new Map<string, number>();
  for await (const { text, number } of source.lines())
    last.set((text ?? '').split(':', 1)[0]?.trim() ?? '', number);
  return last;
}

function lineOf(
  source: Source,
  line: number,
  name: string,
  credentials: readonly string[],
  appId: string,
): Parsed {
  const place = { file: source.file, line };
  if (name === '') return problem(place, 'no account name before the first colon');
  const factors: PortableFactor[] = [];
  const cannot: Unsupported[] = [];
  for (const credential of credentials.filter((one) => one !== '')) {
    if (credential.startsWith('*,')) {
      cannot.push({
        what: 'resident key',
        why: `its id is stored only in the key; enrol the key again: sallyport factor add webauthn ${name}`,
      });
      continue;
    }
    try {
      factors.push({ kind: 'u2f', enabled: true, ...readU2f(credential, appId) });
    } catch {
      return problem(place, 'a credential is malformed; pam_u2f also rejects the whole line', name);
    }
  }
  if (factors.length + cannot.length === 0) return problem(place, 'the line has no key', name);
  return found(source, line, name, factors, { cannot });
}
