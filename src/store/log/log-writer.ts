// Appends what a run prints to its log: numbers and times its lines, remembers how much of the spool they were, and past
// the limit keeps the end alone.

import type { Clock } from '../../lib/clock.ts';
import { type SpoolPosition, spoolKey } from './log-chunk.ts';
import {
  type ChunkEncoder,
  type Encoded,
  type EncodedChunk,
  engineLine,
  maxChunkTextBytes,
  type ReportedProgress,
  type SpoolBytes,
} from './log-encode.ts';
import type { LogFile } from './log-file.ts';
import { createOverflow, type HeldLines, omissionText } from './log-overflow.ts';
import { encodeState, type LogState } from './log-state.ts';

type AttemptKey = { readonly stepId: string; readonly attempt: number };

/** Lines that can be read now; none of those that are held back until the log closes. */
type Appended = { readonly firstSeq: number; readonly count: number };

export type LogWriter = {
  readonly lastSeq: number;
  /** What lies below in that attempt's spool is never read again, by this process or a later one. Held-back lines are above. */
  readonly spoolOffset: (at: AttemptKey) => number;
  /**
   * Takes whole lines, marks included, redacted; they are in the file when it returns. Throws when the disk refuses, and
   * has then taken nothing. `spoolEnd` is where a later process reads on, and `aheadBytes` how much of what is handed over
   * from there on has been handed over already: lines that ended while one that began before them had not.
   */
  readonly append: (
    o: AttemptKey & {
      readonly bytes: Buffer;
      readonly spoolEnd: number;
      readonly aheadBytes?: number;
      /** Printed while no server read it. */
      readonly isRecovered?: boolean;
    },
  ) => Appended & { readonly progress: readonly ReportedProgress[] };
  /** A line of the engine's own. */
  readonly note: (o: AttemptKey & { readonly message: string }) => Appended;
  /** To be awaited between appends when it is a promise: the disk or the compression is behind. */
  readonly ready: () => Promise<void> | undefined;
  /** Stores what was held back, seals and indexes everything; says which lines became readable by it. */
  readonly close: () => Promise<Appended>;
  /** Lets go of it without sealing: the next writer goes on where this one was. */
  readonly release: () => Promise<void>;
};

const keptEndBytes = 2 ** 20;
/** How much may be left out before that is written down: a crash reads as much of the spool again. */
const checkpointBytes = 4 * 2 ** 20;
const leastChunkTextBytes = 4096;

export function createLogWriter(o: {
  readonly file: LogFile;
  readonly state: LogState;
  readonly maxSizeBytes: number;
  readonly clock: Clock;
  readonly encode: ChunkEncoder;
  /** Chunks with lines that can be read now, good until it returns. */
  readonly onStored: (chunks: readonly Buffer[]) => void;
  /** Closed or released. */
  readonly onClosed: () => void;
}): LogWriter {
  const { file, state, clock } = o;
  const endBytes = Math.min(keptEndBytes, Math.floor(o.maxSizeBytes / 2));
  const beginningBytes = o.maxSizeBytes - endBytes;
  const chunkTextBytes = Math.max(leastChunkTextBytes, Math.min(maxChunkTextBytes, Math.floor(o.maxSizeBytes / 16)));
  const overflow = createOverflow(endBytes);
  /** By `spoolKey`: how far that spool was handed over. What is held back of that is not stored yet. */
  const handedOver = new Map(state.spool);
  /** By `spoolKey`: how much of what is handed over next an earlier process has stored. */
  const storedBefore = new Map(Array.from(state.spool, ([key, { aheadBytes }]) => [key, aheadBytes]));
  /** By `spoolKey`: where a later process would go on. */
  const written = new Map(state.spool);
  let uncheckedBytes = 0;
  let closing: Promise<Appended> | undefined;
  let appendedByClose: Appended | undefined;
  /** What closing has yet to store: where the disk refuses a part of it, the rest is stored by the next try. */
  let left: { readonly firstSeq: number; readonly held: HeldLines[] } | undefined;

  function take(input: SpoolBytes): Appended & { readonly progress: readonly ReportedProgress[] } {
    if (uncheckedBytes >= checkpointBytes) writeCheckpoint();
    const atMs = clock.now();
    const { out, chunks, progress } = encodeNext(input, atMs);
    let fitting = 0;
    for (let { textBytes } = state; textBytes < beginningBytes && fitting < chunks.length; fitting++) {
      textBytes += chunks[fitting]?.textBytes ?? 0;
    }
    const appended = store(out, chunks.slice(0, fitting), spoolKey(input));
    for (const { inputStart, inputEnd, lineCount, textBytes, spool } of chunks.slice(fitting)) {
      const bytes = Buffer.from(input.bytes.subarray(inputStart, inputEnd));
      const { attempt, stepId, isRecovered } = input;
      hold({ attempt, stepId, isRecovered, bytes, atMs, lineCount, textBytes, spool });
    }
    return { ...appended, progress };
  }

  function encodeNext(input: SpoolBytes, atMs: number): Encoded {
    const firstAtUs = Math.max(atMs * 1000, state.lastAtUs + 1);
    return o.encode(input, { firstSeq: state.lastSeq + 1, firstAtUs, chunkTextBytes });
  }

  function store(out: Buffer, chunks: readonly EncodedChunk[], key: string): Appended {
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
  }

  /** What a file starts with; the first one has nothing to say. */
  function head(): Buffer {
    return file.segments.length > 1 ? encodeState(state) : Buffer.alloc(0);
  }

  function hold(lines: HeldLines): void {
    for (const dropped of overflow.hold(lines)) {
      const { attempt, stepId } = dropped;
      const before = state.omitted ?? { lineCount: 0, textBytes: 0 };
      const lineCount = before.lineCount + dropped.lineCount;
      state.omitted = { attempt, stepId, lineCount, textBytes: before.textBytes + dropped.textBytes };
      state.spool.set(spoolKey(dropped), dropped.spool);
      uncheckedBytes += dropped.textBytes;
    }
  }

  function writeCheckpoint(): void {
    const { lastSeq, lastAtUs } = state;
    file.write(encodeState(state), { firstSeq: lastSeq + 1, lastSeq, firstAtUs: lastAtUs, lastAtUs }, head);
    for (const [key, position] of state.spool) written.set(key, position);
    uncheckedBytes = 0;
  }

  function storeHeld(): Appended {
    left ??= { firstSeq: state.lastSeq + 1, held: [...overflow.takeAll()] };
    const { firstSeq, held } = left;
    if (state.omitted) {
      const { attempt, stepId } = state.omitted;
      const spool = state.spool.get(spoolKey(state.omitted)) ?? start;
      const bytes = engineLine(omissionText(state.omitted));
      const input = { attempt, stepId, bytes, isRecovered: false, from: spool, to: spool };
      const { out, chunks } = encodeNext(input, held[0]?.atMs ?? clock.now());
      store(out, chunks, spoolKey(input));
      state.omitted = undefined;
      writeCheckpoint();
    }
    for (let lines = held[0]; lines; lines = held[0]) {
      const { attempt, stepId, bytes, isRecovered, spool, atMs } = lines;
      const { out, chunks } = encodeNext({ attempt, stepId, bytes, isRecovered, from: spool, to: spool }, atMs);
      store(out, chunks, spoolKey(lines));
      held.shift();
    }
    return { firstSeq, count: state.lastSeq - firstSeq + 1 };
  }

  async function close(): Promise<Appended> {
    appendedByClose ??= storeHeld();
    await file.close();
    o.onClosed();
    return appendedByClose;
  }

  return {
    get lastSeq() {
      return state.lastSeq;
    },
    spoolOffset: (at) => (written.get(spoolKey(at)) ?? start).offset,
    append({ attempt, stepId, bytes, spoolEnd, aheadBytes = 0, isRecovered = false }) {
      const key = spoolKey({ stepId, attempt });
      const from = handedOver.get(key) ?? start;
      const stored = storedBefore.get(key) ?? 0;
      const skipBytes = Math.min(stored, bytes.length);
      const to = { offset: spoolEnd, aheadBytes: aheadBytes + stored - skipBytes };
      const appended = take({ attempt, stepId, bytes: bytes.subarray(skipBytes), isRecovered, from, to });
      handedOver.set(key, to);
      storedBefore.set(key, stored - skipBytes);
      return appended;
    },
    note({ attempt, stepId, message }) {
      const spool = handedOver.get(spoolKey({ stepId, attempt })) ?? start;
      const bytes = engineLine(message);
      const { firstSeq, count } = take({ attempt, stepId, bytes, isRecovered: false, from: spool, to: spool });
      return { firstSeq, count };
    },
    ready: file.ready,
    close() {
      closing ??= close().catch((error: unknown) => {
        closing = undefined;
        throw error;
      });
      return closing;
    },
    async release() {
      await file.release();
      o.onClosed();
    },
  };
}

const start: SpoolPosition = { offset: 0, aheadBytes: 0 };
