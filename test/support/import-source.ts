import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImportError, type Parsed, type Parser, type Source } from '../../cli/import/contract.ts';
import { linesOf } from '../../cli/import/files.ts';
import { projectRoot } from './project.ts';

/** A file of another system, in memory. */
export function sourceOf(
  text: string,
  { file = 'file', uid = 0, owner }: { file?: string; uid?: number; owner?: number } = {},
): Source {
  async function* chunks() {
    for (let at = 0; at < text.length; at += 1_000) yield text.slice(at, at + 1_000);
  }
  return {
    file,
    uid,
    inHome: false,
    ...(owner === undefined ? {} : { owner }),
    lines: () => linesOf(chunks()),
    chunks,
    whole: async (most) => {
      if (text.length > most) throw new ImportError('too large');
      return Buffer.from(text);
    },
  };
}

export function golden(name: string): Source {
  return sourceOf(readFileSync(join(projectRoot, 'test/vectors/import', name), 'utf8'), { file: name });
}

export async function all(parse: Parser, source: Source): Promise<readonly Parsed[]> {
  const parsed: Parsed[] = [];
  for await (const one of parse(source)) parsed.push(one);
  return parsed;
}
