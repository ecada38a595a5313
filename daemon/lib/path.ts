/** Paths and queries of requests, as sallyportd and the portal read them. */

export type TextByName = Readonly<Record<string, string>>;

/**
 * The path is split before it is decoded and is never resolved, so that `..` and `%2F` are letters of a name like
 * others. @returns undefined: it is not percent-encoded UTF-8
 */
export function segmentsOf(path: string): readonly string[] | undefined {
  try {
    return path.split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

/**
 * @param pattern its segments; those that begin with ":" are parameters
 * @param fits whether this may be the value of that parameter
 * @returns undefined: it is not of this pattern
 */
export function matchPath(
  pattern: readonly string[],
  segments: readonly string[],
  fits: (parameter: string, segment: string) => boolean = () => true,
): TextByName | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== segment) return undefined;
      continue;
    }
    if (!fits(part, segment)) return undefined;
    parameters[part.slice(1)] = segment;
  }
  return parameters;
}

/** @returns undefined if a parameter is repeated and therefore ambiguous */
export function queryOf(text: string): TextByName | undefined {
  const query: Record<string, string> = Object.create(null);
  for (const [key, value] of new URLSearchParams(text)) {
    if (key in query) return undefined;
    query[key] = value;
  }
  return query;
}
