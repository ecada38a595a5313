import { keyFileText, newMasterKey } from '../sealing/keyring.ts';

/** The lines of a master key file; the keys themselves remain text. */
const keyLine = /^([A-Za-z0-9_-]{1,32}) +[A-Za-z0-9+/]{43}=\s*$/;

export function keyIdsIn(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => keyLine.exec(line)?.[1] ?? []);
}

/** With a new key in front of all others, all else as it is. */
export function withNewKey(text: string): string {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => keyLine.test(line));
  const fresh = keyFileText([newMasterKey()]).split('\n')[1] ?? '';
  return lines.toSpliced(at < 0 ? lines.length : at, 0, fresh).join('\n');
}

export function withoutKey(text: string, id: string): string {
  return text
    .split('\n')
    .filter((line) => keyLine.exec(line)?.[1] !== id)
    .join('\n');
}
