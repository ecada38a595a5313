/** Writing manual pages in mdoc(7). What comes in is plain text; what it would mean to troff is taken out of it here. */

export interface PageHead {
  readonly title: string;
  /** Of the manual: 5 for files, 8 for administration. */
  readonly section: 5 | 8;
  /** "November 24, 2026". */
  readonly date: string;
  readonly names: readonly string[];
  readonly about: string;
}

/** The lines at the top of a page, with its NAME. */
export function pageHead({ title, section, date, names, about }: PageHead): string {
  const listed = names.map((name, index) => `.Nm ${name}${index < names.length - 1 ? ' ,' : ''}`);
  return lines([
    `.Dd ${date}`,
    `.Dt ${title.toUpperCase()} ${section}`,
    '.Os Sallyport',
    '.Sh NAME',
    ...listed,
    `.Nd ${argument(about)}`,
  ]);
}

/** A line of text, escaped: it contains no request and no escape. */
export function text(plain: string): string {
  return running(escapes(plain).trim());
}

/** Escaped text with each sentence on a separate line, as mdoc(7) requires, and no line a request. */
export function running(escaped: string): string {
  return escaped
    .replace(/([.!?][)"]?) +(?=\S)/g, '$1\n')
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}

/** Text behind a macro, where words may be macros themselves and quotes part them. */
export function argument(plain: string): string {
  return escapes(plain)
    .replaceAll('"', '\\(dq')
    .split(/\s+/)
    .map((word) => (/^(?:[A-Z][a-z]|[.,:;()[\]?!|])$/.test(word) ? `\\&${word}` : word))
    .join(' ');
}

/** Nothing in it is an escape any more; it may still begin a line with a request. */
export function escapes(plain: string): string {
  return plain
    .replaceAll('\\', '\\e')
    .replace(/[-'`^~]/g, (character) => (character === '-' ? '\\-' : `\\(${troffNames[character] ?? 'aq'}`))
    .replace(
      /[^\x20-\x7e\n]/gu,
      (character) => `\\[u${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

const troffNames: Readonly<Record<string, string>> = { "'": 'aq', '`': 'ga', '^': 'ha', '~': 'ti' };

export function bold(plain: string): string {
  return `\\fB${escapes(plain)}\\fP`;
}

/** Literal text, indented. */
export function literal(code: string): string {
  return lines(['.Bd -literal -offset indent', ...code.trimEnd().split('\n').map(literalLine), '.Ed']);
}

function literalLine(line: string): string {
  const escaped = escapes(line);
  return /^[.']/.test(escaped) || escaped === '' ? `\\&${escaped}` : escaped;
}

/** Terms and what they are. */
export function tagged(items: readonly (readonly [term: string, about: string])[]): string {
  return lines(['.Bl -tag -width Ds', ...items.flatMap(([term, about]) => [`.It ${term}`, about]), '.El']);
}

export function lines(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n');
}
