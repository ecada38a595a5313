import type { PortableFactor } from '../../daemon/api/account-views.ts';
import { readPublicId } from '../../daemon/client/factor-input.ts';
import { found, type Parsed, type Parser, problem, type Source } from './contract.ts';

/** authorized_yubikeys of pam_yubico, system-wide or in home directories: `user:publicid[:publicid…]`. */
export function yubico(user: string | undefined): Parser {
  return async function* parse(source) {
    for await (const { text, number } of source.lines()) {
      const isChallenge = number === 1 && /^v[12]:[0-9a-f]+:/i.test(text ?? '');
      if (isChallenge) {
        yield problem(
          { file: source.file },
          'this is the state of a challenge-response slot, which cannot be imported; enrol the key again: sallyport factor add webauthn',
          user,
        );
        return;
      }
      if (text === undefined) {
        yield problem({ file: source.file, line: number }, 'the line is too long for pam_yubico');
        continue;
      }
      if (text.startsWith('#') || text.trim() === '') continue;
      const [name = '', ...ids] = text.trim().split(':');
      if (user === undefined || user === name) yield lineOf(source, number, name, ids);
    }
  };
}

function lineOf(source: Source, line: number, name: string, ids: readonly string[]): Parsed {
  const place = { file: source.file, line };
  if (name === '') return problem(place, 'no account name before the first colon');
  const factors: PortableFactor[] = [];
  for (const id of new Set(ids.filter((one) => one !== ''))) {
    try {
      factors.push({ kind: 'yubikey', validation: 'cloud', enabled: true, publicId: readPublicId(id) });
    } catch {
      return problem(place, 'a public id is not 2 to 16 modhex characters (cbdefghijklnrtuv)', name);
    }
  }
  if (factors.length === 0) return problem(place, 'the line has no YubiKey', name);
  return found(source, line, name, factors);
}
