// The difference between two versions of a file, as rows with some unchanged lines around each change.

import { diffLines } from 'diff';

export type DiffRow =
  | {
      readonly kind: 'same' | 'added' | 'removed';
      readonly text: string;
      readonly before: number | null;
      readonly after: number | null;
    }
  | { readonly kind: 'gap'; readonly count: number };

const around = 3;
/** Texts with more changes have little in common, and comparing them could take minutes. */
const longestEdit = 5_000;

/** Returns an empty list if the texts are equal, and null if they have too many differences. */
export function fileDiff(before: string, after: string): readonly DiffRow[] | null {
  const parts = diffLines(before, after, { maxEditLength: longestEdit });
  if (parts === undefined) return null;
  let [old, now] = [0, 0];
  const rows = parts.flatMap(({ value, added, removed }) =>
    linesOf(value).map((text): DiffRow => {
      const kind = added ? 'added' : removed ? 'removed' : 'same';
      if (kind !== 'added') old += 1;
      if (kind !== 'removed') now += 1;
      return { kind, text, before: kind === 'added' ? null : old, after: kind === 'removed' ? null : now };
    }),
  );
  return withGaps(rows);
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function withGaps(rows: readonly DiffRow[]): readonly DiffRow[] {
  const near = new Set<number>();
  for (const [at, { kind }] of rows.entries()) {
    if (kind !== 'same') for (let by = -around; by <= around; by++) near.add(at + by);
  }
  const shown: DiffRow[] = [];
  let left = 0;
  for (const [at, row] of rows.entries()) {
    if (!near.has(at)) {
      left += 1;
      continue;
    }
    if (left > 0) shown.push({ kind: 'gap', count: left });
    left = 0;
    shown.push(row);
  }
  if (left > 0 && shown.length > 0) shown.push({ kind: 'gap', count: left });
  return shown;
}
