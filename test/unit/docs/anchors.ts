/** The anchors of a page's headings, as forges create them: lower case, no punctuation, hyphens for spaces. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const counts = new Map<string, number>();
  const outsideCode = markdown.replace(/^```[\s\S]*?^```$/gm, '');
  return new Set(
    [...outsideCode.matchAll(/^#{1,6} +(.*?) *$/gm)].map(([, heading = '']) => {
      const slug = heading
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
        .replace(/\s/g, '-');
      const seen = counts.get(slug) ?? 0;
      counts.set(slug, seen + 1);
      return seen === 0 ? slug : `${slug}-${seen}`;
    }),
  );
}
