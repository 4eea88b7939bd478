// Appends encoded chunks to a log's file. Keeps the state of the log: its last line, its size, and how far each spool
// is stored.

import { type SpoolPosition, spoolKey } from './log-chunk.ts';
import type { EncodedChunk } from './log-encode.ts';
import type { LogFile } from './log-file.ts';
import { encodeState, type LogState, type Omission } from './log-state.ts';

/** The lines of an append that can be read now. Lines that are held back until the log closes are not among them. */
export type Appended = { readonly firstSeq: number; readonly count: number };

export type LogAppend = ReturnType<typeof createLogAppend>;

export const spoolStart: SpoolPosition = { offset: 0, aheadBytes: 0 };
/**
 * How much text may be left out before the state is written again. After a crash, flwd reads the spool again from the
 * last state that was written.
 */
const checkpointBytes = 4 * 2 ** 20;

export function createLogAppend(o: {
  readonly file: LogFile;
  readonly state: LogState;
  readonly onStored: (chunks: readonly Buffer[]) => void;
}) {
  const { file, state } = o;
  /** The position in each spool at which a later process would continue, by `spoolKey`. */
  const written = new Map(state.spool);
  let uncheckedBytes = 0;

  /**
   * Returns what a new file begins with. This is the state, or nothing in the first file, because the state is still
   * empty then.
   */
  function head(): Buffer {
    return file.segments.length > 1 ? encodeState(state) : Buffer.alloc(0);
  }

  function checkpoint(): void {
    const { lastSeq, lastAtUs } = state;
    file.write(encodeState(state), { firstSeq: lastSeq + 1, lastSeq, firstAtUs: lastAtUs, lastAtUs }, head);
    for (const [key, position] of state.spool) written.set(key, position);
    uncheckedBytes = 0;
  }

  return {
    /** Stores chunks of the spool `key`. */
    store(out: Buffer, chunks: readonly EncodedChunk[], key: string): Appended {
      const firstSeq = state.lastSeq + 1;
      const first = chunks[0];
      const last = chunks.at(-1);
      if (!first || !last) return { firstSeq, count: 0 };
      const lines = { firstSeq, lastSeq: last.lastSeq, firstAtUs: first.firstAtUs, lastAtUs: last.lastAtUs };
      file.write(out.subarray(first.start, last.end), lines, head);
      state.lastSeq = last.lastSeq;
      state.lastAtUs = last.lastAtUs;
      for (const { textBytes } of chunks) state.textBytes += textBytes;
      state.spool.set(key, last.spool);
      written.set(key, last.spool);
      o.onStored(chunks.map(({ start, end }) => out.subarray(start, end)));
      return { firstSeq, count: last.lastSeq - firstSeq + 1 };
    },
    /** Records that lines are left out of the log. */
    omit({ attempt, stepId, lineCount, textBytes, spool }: Omission & { readonly spool: SpoolPosition }): void {
      const before = state.omitted ?? { lineCount: 0, textBytes: 0 };
      state.omitted = {
        attempt,
        stepId,
        lineCount: before.lineCount === null || lineCount === null ? null : before.lineCount + lineCount,
        textBytes: before.textBytes + textBytes,
      };
      state.spool.set(spoolKey({ stepId, attempt }), spool);
      uncheckedBytes += textBytes;
    },
    /** Writes the state if much text was left out since it was last written. */
    checkpointIfDue(): void {
      if (uncheckedBytes >= checkpointBytes) checkpoint();
    },
    checkpoint,
    /** The position in the spool `key` at which a later process would continue. */
    writtenTo: (key: string): SpoolPosition => written.get(key) ?? spoolStart,
  };
}
