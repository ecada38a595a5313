import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './rig/layout.ts';

/** One recipe of docs/how-to/recipes.md, as it stands there. */
export interface Recipe {
  readonly title: string;
  /** The configuration from [[realm]] on. */
  readonly toml: string;
  /** What stands in place of common-auth in each program's file. */
  readonly stacks: readonly { readonly service: string; readonly snippet: string }[];
  readonly sshd: string;
  /** Commands, and the beginnings of lines that they print. */
  readonly checks: readonly { readonly words: readonly string[]; readonly lines: readonly string[] }[];
}

/** All of them, in their order. @throws what is not in the form that the page says */
export function readRecipes(): ReadonlyMap<string, Recipe> {
  const page = readFileSync(join(repository, 'docs/how-to/recipes.md'), 'utf8');
  const sections = page.split(/^## /m).slice(1);
  return new Map(sections.map(recipeOf).map((recipe) => [recipe.title, recipe]));
}

function recipeOf(section: string): Recipe {
  const title = section.slice(0, section.indexOf('\n')).trim();
  const blocks = [...section.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', text = '']) => ({
    kind,
    text,
  }));
  const of = (kind: string) => blocks.filter((block) => block.kind === kind).map(({ text }) => text);
  const [toml, ...more] = of('toml');
  if (toml === undefined || more.length > 0) throw new Error(`${title}: not one block of toml`);
  const checks = blocks.flatMap(({ kind, text }, at) => {
    if (kind !== 'sh') return [];
    const next = blocks[at + 1];
    if (next?.kind !== 'explain') throw new Error(`${title}: nothing says what ${text.trim()} prints`);
    const [program, ...words] = text.trim().split(' ');
    if (program !== 'sallyport') throw new Error(`${title}: ${text.trim()} is not about sallyport`);
    return [{ words, lines: next.text.trim().split('\n') }];
  });
  return {
    title,
    toml,
    stacks: of('pam').map((text) => stackOf(title, text)),
    sshd: of('sshd').join('\n'),
    checks,
  };
}

function stackOf(title: string, text: string): Recipe['stacks'][number] {
  const found = /^# \/etc\/pam\.d\/(\S+)\n@include (\S+)$/.exec(text.trim());
  const [, service = '', snippet = ''] = found ?? [];
  if (found === null) throw new Error(`${title}: a stack in no known form:\n${text}`);
  return { service, snippet };
}
