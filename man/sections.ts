import { argument, lines, tagged, text } from './mdoc.ts';
import { files, seeAlso } from './text.ts';

export function filesSection(): string {
  return lines(['.Sh FILES', tagged(files.map(([path, about]) => [`Pa ${argument(path)}`, text(about)]))]);
}

/** The other pages. */
export function seeAlsoSection(page: string): string {
  const others = Object.entries(seeAlso)
    .filter(([name]) => name !== page)
    .sort(([one, sectionOne], [other, sectionOther]) => sectionOne - sectionOther || (one < other ? -1 : 1));
  return lines([
    '.Sh SEE ALSO',
    ...others.map(
      ([name, section], index) => `.Xr ${name} ${section}${index < others.length - 1 ? ' ,' : ''}`,
    ),
  ]);
}
