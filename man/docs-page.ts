import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromMarkdown } from './from-markdown.ts';
import { lines, type PageHead, pageHead } from './mdoc.ts';
import { filesSection, seeAlsoSection } from './sections.ts';

/** Makes a manual page of a page in docs/: drops its first heading; the text before the second is the description. */
export function docsPage(
  root: string,
  file: string,
  head: PageHead & { readonly synopsis: readonly string[] },
): string {
  const markdown = readFileSync(join(root, 'docs', file), 'utf8').replace(/^# .*\n/, '');
  return lines([
    pageHead(head),
    '.Sh SYNOPSIS',
    ...head.synopsis,
    '.Sh DESCRIPTION',
    fromMarkdown(markdown),
    filesSection(),
    seeAlsoSection(head.names[0] ?? ''),
  ]);
}
