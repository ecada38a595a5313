/** What a login meets, in four respects; every two values of two respects stand together in some row. */
export const respects = {
  way: ['ssh two prompts', 'ssh one prompt', 'ssh key and code', 'su', 'portal'],
  realm: ['requires nothing', 'requires totp', 'grace', 'at-login', 'observes', 'skips', 'refuses'],
  account: [
    'no factor',
    'totp',
    'hotp',
    'recovery keys only',
    'codes locked',
    'exempt',
    'another uid',
    'disabled',
    'bypass code',
  ],
  /** What an administrator does while the person is at the prompt. */
  meanwhile: ['nothing', 'reload', 'bad reload', 'restart', 'removal', 'unlock', 'backup'],
} as const;

type Respects = typeof respects;
export type Row = { readonly [R in keyof Respects]: Respects[R][number] };

const names = ['way', 'realm', 'account', 'meanwhile'] as const;

/** Each pair of values, as text. */
function pairsIn(row: Readonly<Record<string, string>>): readonly string[] {
  const given = names.filter((name) => row[name] !== undefined);
  return given.flatMap((a, at) => given.slice(at + 1).map((b) => `${a} ${row[a]}, ${b} ${row[b]}`));
}

export function allPairs(): ReadonlySet<string> {
  const pairs = new Set<string>();
  for (const [at, a] of names.entries())
    for (const b of names.slice(at + 1))
      for (const one of respects[a])
        for (const other of respects[b])
          for (const pair of pairsIn({ [a]: one, [b]: other })) pairs.add(pair);
  return pairs;
}

export const coveredBy = (rows: readonly Row[]): ReadonlySet<string> => new Set(rows.flatMap(pairsIn));

/** Rows that together hold all pairs: each begins with a pair that is missing, and takes most others with it. */
export function coveringRows(): readonly Row[] {
  const missing = new Set(allPairs());
  const rows: Row[] = [];
  while (missing.size > 0) {
    const row = bestRow(missing);
    for (const pair of pairsIn(row)) missing.delete(pair);
    rows.push(row);
  }
  return rows;
}

function bestRow(missing: ReadonlySet<string>): Row {
  const gain = (row: Row) => pairsIn(row).filter((pair) => missing.has(pair)).length;
  let best: Row | undefined;
  for (const way of respects.way)
    for (const realm of respects.realm)
      for (const account of respects.account)
        for (const meanwhile of respects.meanwhile) {
          const row = { way, realm, account, meanwhile };
          if (best === undefined || gain(row) > gain(best)) best = row;
        }
  if (best === undefined) throw new Error('there are no rows');
  return best;
}
