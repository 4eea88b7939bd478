// Once a log has grown past its limit, its newest lines are held in memory. When the log closes, they are stored after
// a line that says how much was left out. Until then the spool still contains them, so a crash loses nothing.

import type { SpoolPosition } from './log-chunk.ts';

/** The input of one chunk that is not encoded yet. Its lines get their numbers when they are stored. */
export type HeldLines = {
  readonly attempt: number;
  readonly stepId: string;
  readonly isRecovered: boolean;
  readonly bytes: Buffer;
  readonly atMs: number;
  readonly lineCount: number;
  readonly textBytes: number;
  /** The position in the spool after these lines. */
  readonly spool: SpoolPosition;
};

export function createOverflow() {
  let held: HeldLines[] = [];
  let heldBytes = 0;
  return {
    /**
     * Adds the lines, and drops the oldest chunks as long as the rest has at least `keptBytes`. Returns what it
     * dropped.
     */
    hold(lines: HeldLines, keptBytes: number): readonly HeldLines[] {
      held.push(lines);
      heldBytes += lines.textBytes;
      let dropCount = 0;
      for (const oldest of held) {
        if (heldBytes - oldest.textBytes < keptBytes) break;
        heldBytes -= oldest.textBytes;
        dropCount++;
      }
      return held.splice(0, dropCount);
    },
    takeAll(): readonly HeldLines[] {
      const all = held;
      held = [];
      heldBytes = 0;
      return all;
    },
  };
}

/** Says how much was left out. If `lineCount` is null, the number of lines is unknown. */
export function omissionText(
  { lineCount, textBytes }: { readonly lineCount: number | null; readonly textBytes: number },
  why: string,
): string {
  const size = textBytes < 1e6 ? `${Math.ceil(textBytes / 1e3)} kB` : `${Math.round(textBytes / 1e6)} MB`;
  if (lineCount === null) return `… ${size} left out: ${why} …`;
  return `… ${lineCount} ${lineCount === 1 ? 'line' : 'lines'} (${size}) left out: ${why} …`;
}
