import type { StructuredPatchHunk } from 'diff';

const context = 3;

/**
 * A unified diff as `diff -u` writes it.
 * @param before, after the whole texts; undefined if the file does not exist
 */
export async function unifiedDiff(
  path: string,
  before: string | undefined,
  after: string | undefined,
): Promise<readonly string[]> {
  // Loaded on demand: other commands do not need it, and it takes time to load.
  const { structuredPatch } = await import('diff/lib/patch/create.js');
  const { hunks } = structuredPatch(path, path, before ?? '', after ?? '', undefined, undefined, { context });
  if (hunks.length === 0) return [];
  return [
    `--- ${before === undefined ? '/dev/null' : path}`,
    `+++ ${after === undefined ? '/dev/null' : path}`,
    ...hunks.flatMap((hunk) => [headOf(hunk), ...hunk.lines]),
  ];
}

/** The package writes a count of one, which `diff -u` leaves out. */
function headOf({ oldStart, oldLines, newStart, newLines }: StructuredPatchHunk): string {
  return `@@ -${rangeText(oldStart, oldLines)} +${rangeText(newStart, newLines)} @@`;
}

/** No lines: the line before them is named. */
function rangeText(start: number, count: number): string {
  if (count === 0) return `${start - 1},0`;
  return count === 1 ? `${start}` : `${start},${count}`;
}
