// Appends the output of a run to its log. It numbers and dates the lines, and remembers how far each spool is stored.
// Past the size limit, or once a full disk requires it, it stores only the end of the output.

import type { Clock } from '../../lib/clock.ts';
import { type Appended, createLogAppend, type LogAppend, spoolStart } from './log-append.ts';
import { type SpoolPosition, spoolKey } from './log-chunk.ts';
import {
  type ChunkEncoder,
  type Encoded,
  engineLine,
  maxChunkTextBytes,
  type ReportedProgress,
  type SpoolBytes,
} from './log-encode.ts';
import type { LogFile } from './log-file.ts';
import { createOverflow, type HeldLines, omissionText } from './log-overflow.ts';
import type { LogState } from './log-state.ts';

type AttemptKey = { readonly stepId: string; readonly attempt: number };
/** Output that is left out without being read. `spool` is the position where reading continues. */
type Unread = AttemptKey & { readonly textBytes: number; readonly spool: SpoolPosition };
type Taken = Appended & { readonly progress: readonly ReportedProgress[] };

export type LogWriter = ReturnType<typeof createLogWriter>;

type Parts = {
  readonly file: LogFile;
  readonly state: LogState;
  readonly maxSizeBytes: number;
  readonly clock: Clock;
  readonly encode: ChunkEncoder;
  /** Called with chunks that can be read now. The buffers are valid until it returns. */
  readonly onStored: (chunks: readonly Buffer[]) => void;
  /** Called when the log is closed or released. */
  readonly onClosed: () => void;
};

const keptEndBytes = 2 ** 20;
/**
 * How much of the end is stored on a full disk. Even with short lines, this fits in the space that is then freed for
 * it.
 */
const keptEndOnFullDiskBytes = 256 * 1024;
const leastChunkTextBytes = 4096;

export function createLogWriter(o: Parts) {
  const { file, state } = o;
  const { take, leaveOut, storeHeld, writtenTo, keepOnlyEnd, mostUnreadBytes } = createLimitedLog(o);
  const handover = createHandover(state);
  let closing: Promise<Appended> | undefined;
  let appendedByClose: Appended | undefined;

  async function close(): Promise<Appended> {
    appendedByClose ??= storeHeld();
    await file.close();
    o.onClosed();
    return appendedByClose;
  }

  return {
    get lastSeq(): number {
      return state.lastSeq;
    },
    /**
     * The part of the attempt's spool before this offset is never read again. Lines that are held back come after the
     * offset.
     */
    spoolOffset: (at: AttemptKey): number => writtenTo(spoolKey(at)).offset,
    /**
     * Takes whole lines, redacted and with their marks. When it returns, they are in the file. If they cannot be
     * written, it throws and takes no line. A later process continues at `spoolEnd`. A line may end before a line that
     * began earlier. So some bytes after `spoolEnd` may have been taken already, and `aheadBytes` says how many.
     */
    append(
      output: AttemptKey & {
        readonly bytes: Buffer;
        readonly spoolEnd: number;
        readonly aheadBytes?: number;
        /** True if the lines were printed while no server read the spool. */
        readonly isRecovered?: boolean;
      },
    ): Taken {
      const { attempt, stepId, bytes, spoolEnd, aheadBytes = 0, isRecovered = false } = output;
      const key = spoolKey({ stepId, attempt });
      const { from, stored } = handover.of(key);
      const skipBytes = Math.min(stored, bytes.length);
      const to = { offset: spoolEnd, aheadBytes: aheadBytes + stored - skipBytes };
      const taken = take({ ...output, bytes: bytes.subarray(skipBytes), isRecovered, from, to });
      handover.set(key, to, stored - skipBytes);
      return taken;
    },
    /** Leaves out unread output and all lines that are held back. After that, only the end of the output is stored. */
    leaveOut(unread: Unread): void {
      leaveOut({ ...unread, lineCount: null });
      handover.set(spoolKey(unread), unread.spool, 0);
    },
    /** Returns how much output may wait in a spool. If more waits, only the end of it will be stored. */
    mostUnreadBytes,
    /** Adds a message of flwd itself to the log. */
    note({ attempt, stepId, message }: AttemptKey & { readonly message: string }): Appended {
      const spool = handover.of(spoolKey({ stepId, attempt })).from;
      const bytes = engineLine(message);
      const { firstSeq, count } = take({ attempt, stepId, bytes, isRecovered: false, from: spool, to: spool });
      return { firstSeq, count };
    },
    /** Call this if the disk has no space for all output. Then only its end is stored, and only when the log closes. */
    keepOnlyEnd,
    /** Returns a promise while the disk or the compression falls behind. Await it before the next append. */
    ready: file.ready,
    /** Stores the lines that were held back, then seals all segments. Returns the lines that this made readable. */
    close(): Promise<Appended> {
      closing ??= close().catch((error: unknown) => {
        closing = undefined;
        throw error;
      });
      return closing;
    },
    /** Closes the log without sealing it. The next writer continues where this one stopped. */
    async release(): Promise<void> {
      await file.release();
      o.onClosed();
    },
  };
}

/** Remembers how far each spool was handed over to the log, by `spoolKey`. */
function createHandover(state: LogState) {
  /**
   * The position up to which each spool was handed over. Lines that are held back count as handed over, although they
   * are not stored yet.
   */
  const handedOver = new Map(state.spool);
  /** How many of the bytes after that position an earlier process has already stored. */
  const storedBefore = new Map(Array.from(state.spool, ([key, { aheadBytes }]) => [key, aheadBytes]));
  return {
    of: (key: string) => ({ from: handedOver.get(key) ?? spoolStart, stored: storedBefore.get(key) ?? 0 }),
    set(key: string, to: SpoolPosition, stored: number): void {
      handedOver.set(key, to);
      storedBefore.set(key, stored);
    },
  };
}

/**
 * Stores the lines of a log up to its limit. After that, it holds only the newest lines in memory, until the log
 * closes.
 */
function createLimitedLog({ state, maxSizeBytes, clock, encode, ...o }: Parts): {
  readonly take: (input: SpoolBytes) => Taken;
  readonly leaveOut: LogAppend['omit'];
  readonly storeHeld: () => Appended;
  readonly writtenTo: LogAppend['writtenTo'];
  readonly keepOnlyEnd: () => void;
  readonly mostUnreadBytes: () => number;
} {
  const appender = createLogAppend({ state, ...o });
  let endBytes = Math.min(keptEndBytes, Math.floor(maxSizeBytes / 2));
  const limitBytes = maxSizeBytes - endBytes;
  let beginningBytes = limitBytes;
  const chunkTextBytes = Math.max(leastChunkTextBytes, Math.min(maxChunkTextBytes, Math.floor(maxSizeBytes / 16)));
  const overflow = createOverflow();
  /** What `storeHeld` still has to store. If the disk refuses a part of it, the next call stores the rest. */
  let left: { readonly firstSeq: number; readonly held: HeldLines[] } | undefined;

  function encodeNext(input: SpoolBytes, atMs: number): Encoded {
    const firstAtUs = Math.max(atMs * 1000, state.lastAtUs + 1);
    return encode(input, { firstSeq: state.lastSeq + 1, firstAtUs, chunkTextBytes });
  }

  function storeAll(input: Omit<SpoolBytes, 'from'>, atMs: number): void {
    const { out, chunks } = encodeNext({ ...input, from: input.to }, atMs);
    appender.store(out, chunks, spoolKey(input));
  }

  return {
    writtenTo: appender.writtenTo,
    keepOnlyEnd() {
      beginningBytes = Math.min(beginningBytes, state.textBytes);
      endBytes = Math.min(endBytes, keptEndOnFullDiskBytes);
    },
    take(input) {
      appender.checkpointIfDue();
      const atMs = clock.now();
      const { out, chunks, progress } = encodeNext(input, atMs);
      let fitting = 0;
      for (let { textBytes } = state; textBytes < beginningBytes && fitting < chunks.length; fitting++) {
        textBytes += chunks[fitting]?.textBytes ?? 0;
      }
      const appended = appender.store(out, chunks.slice(0, fitting), spoolKey(input));
      const { attempt, stepId, isRecovered } = input;
      for (const { inputStart, inputEnd, lineCount, textBytes, spool } of chunks.slice(fitting)) {
        const bytes = Buffer.from(input.bytes.subarray(inputStart, inputEnd));
        const lines = { attempt, stepId, isRecovered, bytes, atMs, lineCount, textBytes, spool };
        for (const dropped of overflow.hold(lines, endBytes)) appender.omit(dropped);
      }
      return { ...appended, progress };
    },
    leaveOut(unread) {
      beginningBytes = Math.min(beginningBytes, state.textBytes);
      for (const dropped of overflow.takeAll()) appender.omit(dropped);
      appender.omit(unread);
    },
    mostUnreadBytes: () => (state.textBytes < beginningBytes ? Math.max(2 * maxSizeBytes, 2 ** 30) : 2 ** 26),
    storeHeld() {
      left ??= { firstSeq: state.lastSeq + 1, held: [...overflow.takeAll()] };
      const { firstSeq, held } = left;
      if (state.omitted) {
        const { attempt, stepId } = state.omitted;
        const to = state.spool.get(spoolKey(state.omitted)) ?? spoolStart;
        const isFull = state.textBytes < limitBytes && state.omitted.lineCount !== null;
        const why = isFull ? 'the disk was full' : 'the log is past its limit';
        const bytes = engineLine(omissionText(state.omitted, why));
        storeAll({ attempt, stepId, bytes, isRecovered: false, to }, held[0]?.atMs ?? clock.now());
        state.omitted = undefined;
        appender.checkpoint();
      }
      for (let lines = held[0]; lines; lines = held[0]) {
        storeAll({ ...lines, to: lines.spool }, lines.atMs);
        held.shift();
      }
      return { firstSeq, count: state.lastSeq - firstSeq + 1 };
    },
  };
}
