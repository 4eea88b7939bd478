// Holds the newest lines of a log in memory once the log has grown past its limit. They are stored when the log closes,
// after a line that says how much was left out. Until then the spool keeps them, so a crash loses nothing.

import type { SpoolPosition } from './log-chunk.ts';

/** The input of one chunk, not encoded yet: its lines are numbered when they are stored. */
export type HeldLines = {
  readonly attempt: number;
  readonly stepId: string;
  readonly isRecovered: boolean;
  readonly bytes: Buffer;
  readonly atMs: number;
  readonly lineCount: number;
  readonly textBytes: number;
  /** The position in the spool after the lines. */
  readonly spool: SpoolPosition;
};

export function createOverflow() {
  let held: HeldLines[] = [];
  let heldBytes = 0;
  return {
    /**
     * Holds the lines, and drops all but the last `keptBytes`, rounded up to whole chunks. Returns the dropped lines.
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

/** Says how much was left out. If `lineCount` is null, nobody counted the lines. */
export function omissionText(
  { lineCount, textBytes }: { readonly lineCount: number | null; readonly textBytes: number },
  why: string,
): string {
  const size = textBytes < 1e6 ? `${Math.ceil(textBytes / 1e3)} kB` : `${Math.round(textBytes / 1e6)} MB`;
  if (lineCount === null) return `… ${size} left out: ${why} …`;
  return `… ${lineCount} ${lineCount === 1 ? 'line' : 'lines'} (${size}) left out: ${why} …`;
}
