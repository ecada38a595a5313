import { lexer, type Token, type Tokens } from 'marked';
import { argument, bold, escapes, lines, literal, running, tagged, text } from './mdoc.ts';

/**
 * A page of docs/ as part of a manual page, so that there is one text and not two.
 * @throws Error for what these pages do not use: better no manual page than one with a hole
 */
export function fromMarkdown(markdown: string): string {
  return lines(
    lexer(markdown)
      .filter((token) => token.type !== 'space')
      .flatMap((token, index, all) => block(token, all[index - 1])),
  );
}

function block(token: Token, before: Token | undefined): readonly string[] {
  const apart = before === undefined || before.type === 'heading' ? [] : ['.Pp'];
  if (isA(token, 'heading')) {
    if (token.depth <= 2) return [`.Sh ${argument(plain(token.tokens)).toUpperCase()}`];
    return [`.Ss ${argument(plain(token.tokens))}`];
  }
  if (isA(token, 'paragraph')) return [...apart, inline(token.tokens)];
  if (isA(token, 'code')) return [literal(token.text)];
  if (isA(token, 'table')) return [table(token)];
  if (isA(token, 'list')) return [list(token)];
  throw new Error(`a manual page cannot be made of "${token.raw.slice(0, 60)}" (${token.type})`);
}

function list(token: Tokens.List): string {
  return lines([
    token.ordered ? '.Bl -enum' : '.Bl -bullet',
    ...token.items.flatMap((item) => ['.It', inline(item.tokens)]),
    '.El',
  ]);
}

/** The first column names the row; the others follow, each behind its heading where it has one. */
function table(token: Tokens.Table): string {
  const [, ...headings] = token.header.map((cell) => plain(cell.tokens));
  return tagged(
    token.rows.map((row) => {
      const [first, ...rest] = row;
      const described = rest.flatMap((cell, index) => {
        const written = inline(cell.tokens);
        if (written === '') return [];
        const heading = headings[index] ?? '';
        return heading === '' ? [written] : [`${text(`${heading}: `)} ${written}`];
      });
      return [term(first?.tokens ?? []), described.length > 0 ? described.join('.\n') : '\\&'] as const;
    }),
  );
}

function term(tokens: readonly Token[]): string {
  return tokens
    .map((token) => (isA(token, 'codespan') ? bold(unescaped(token.text)) : argument(plainOf(token))))
    .join('');
}

function inline(tokens: readonly Token[]): string {
  const written = tokens
    .map(inlineOf)
    .join('')
    .replace(/\s*\n\s*/g, ' ')
    .trim();
  return running(written);
}

function inlineOf(token: Token): string {
  if (isA(token, 'codespan')) return bold(unescaped(token.text));
  if (isA(token, 'strong')) return bold(plain(token.tokens));
  if (isA(token, 'text') && token.tokens !== undefined) return token.tokens.map(inlineOf).join('');
  if (isA(token, 'em') || isA(token, 'link')) return keepSpace(plain(token.tokens));
  if (isA(token, 'text') || isA(token, 'escape')) return keepSpace(unescaped(token.text));
  if (isA(token, 'paragraph')) return token.tokens.map(inlineOf).join('');
  throw new Error(`a manual page cannot be made of "${token.raw}" (${token.type})`);
}

function keepSpace(plainText: string): string {
  const [, before = '', middle = '', after = ''] = /^(\s*)(.*?)(\s*)$/s.exec(plainText) ?? [];
  return `${before}${middle === '' ? '' : escapes(middle)}${after}`;
}

function plain(tokens: readonly Token[]): string {
  return tokens.map(plainOf).join('');
}

function plainOf(token: Token): string {
  if ('tokens' in token && Array.isArray(token.tokens)) return plain(token.tokens);
  return 'text' in token && typeof token.text === 'string' ? unescaped(token.text) : '';
}

/** The library escapes for HTML. */
function unescaped(html: string): string {
  return html
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

function isA<T extends Tokens.Generic['type']>(token: Token, type: T): token is Extract<Token, { type: T }> {
  return token.type === type;
}
