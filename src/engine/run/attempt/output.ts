// Moves the output of an attempt from the spool to the run's log. Redacts it before anything else sees it.

import { statSync } from 'node:fs';
import type { AttemptProcess } from '../../../exec/executor.ts';
import type { Redactor } from '../../../exec/redact/redact.ts';
import { followSpool, type SpoolFollower, type SpoolJump } from '../../../exec/spool/spool.ts';
import { createSpoolLines } from '../../../exec/spool/spool-lines.ts';
import { isDiskFull } from '../../../lib/shortage.ts';
import type { LogWriter } from '../../../store/log/logs.ts';
import type { RunLog } from '../run-log.ts';
import type { AttemptStart } from './attempt-start.ts';
import { createErrorTail, keptErrors } from './error-tail.ts';

type SpoolSource = Pick<AttemptProcess, 'spoolPath' | 'hasBegun'>;

type Destination = Pick<AttemptStart, 'at' | 'withRetry'> & {
  readonly runLog: RunLog;
  readonly redactor: Redactor;
  /** Whether output of the script may have been lost, because the disk was full. */
  readonly mayHaveLost: () => boolean;
};

/** How long the rest of the output waits for room on a full disk once its script has ended. */
const waitForRoomMs = 5_000;
/** How many of the last bytes the spool keeps, if the log keeps only the end of the output. The log keeps fewer. */
const keptSpoolBytes = 2 ** 20;

export function createOutput(o: Destination) {
  const { runLog } = o;
  const sink = createSink(o);
  let spool: SpoolFollower | undefined;
  let isClosed = false;
  let spoolPath = '';
  let spoolEnd = 0;
  /** The script printed everything below this offset while no server read it. */
  let recoveredEnd = 0;
  const jumps: SpoolJump[] = [];
  let openLog: LogWriter | undefined;
  const room = createRoomOnFullDisk({
    discard: (log, isEndOnly) =>
      spool?.discard(Math.max(isEndOnly ? spoolEnd - keptSpoolBytes : 0, log.spoolOffset(o.at)), true),
  });

  /** Continues to read at the current offset. */
  function read(): SpoolFollower {
    return followSpool({
      path: spoolPath,
      offset: spoolEnd,
      onJump: (jump) => {
        jumps.push(jump);
      },
      mostBehindBytes: () => openLog?.mostUnreadBytes() ?? Number.POSITIVE_INFINITY,
      async onBytes(bytes, endOffset) {
        const log = await runLog.open();
        openLog = log;
        for (const jump of jumps.splice(0)) await sink.jump(log, jump, spoolEnd);
        const isRecovered = spoolEnd < recoveredEnd;
        spoolEnd = endOffset;
        await sink.add(log, bytes, { spoolEnd, isRecovered, onRefused: (error) => room.refused(log, error) });
        room.accepted();
        spool?.discard(log.spoolOffset(o.at));
        await log.ready();
      },
    });
  }

  function endReading(): void {
    room.close();
    spool?.close();
  }

  return {
    /** Starts reading. After a restart it continues after the part that is already stored. */
    async follow(attempt: SpoolSource, mode: AttemptStart['mode']): Promise<void> {
      ({ spoolPath } = attempt);
      if (mode === 'resume') {
        ({ recoveredEnd, spoolEnd } = await findEarlierOutput(attempt, o));
        sink.errors.restore(await runLog.lastErrors(o.at, keptErrors));
      }
      // The run may have been left to another process in the meantime. A reader that begins now would never be closed.
      if (!isClosed) spool = read();
    },
    /** Resolves when everything in the spool is in the log. */
    async drain(): Promise<void> {
      room.scriptEnded();
      await o.withRetry(async () => {
        spool ??= read();
        try {
          await spool.drain();
        } catch (error) {
          // The part that could not be read is still in the spool.
          spool = undefined;
          throw error;
        }
      });
      await sink.flush(() => runLog.open(), spoolEnd);
      await noteLoss(o);
      room.stored();
      endReading();
    },
    lastErrors: sink.errors.lines,
    close(): void {
      isClosed = true;
      endReading();
    },
  };
}

/**
 * Makes room for the rest of the log when a script has filled the disk with its spool. The spool frees what the log
 * already has, but only after the script has ended: a running script would take the room again.
 * If that is not enough, the log keeps only the end of the rest, so that the run can end. The spool then also frees
 * what the log leaves out. The log cannot say so yet, because it may have no room for a single byte.
 */
function createRoomOnFullDisk(o: { readonly discard: (log: LogWriter, isEndOnly: boolean) => void }) {
  let isScriptOver = false;
  /** The log, once the disk has refused some of its output. */
  let refusedLog: LogWriter | undefined;
  /** Frees room on the disk. It is set while the disk refuses output. */
  let makeRoom: (() => void) | undefined;
  let endOnlyTimer: NodeJS.Timeout | undefined;
  let isEndOnly = false;
  const discard = (log: LogWriter): void => o.discard(log, isEndOnly);

  return {
    refused(log: LogWriter, error: unknown): void {
      refusedLog = log;
      makeRoom = () => {
        discard(log);
        if (!isDiskFull(error)) return;
        endOnlyTimer ??= setTimeout(() => {
          endOnlyTimer = undefined;
          if (!makeRoom) return;
          isEndOnly = true;
          log.keepOnlyEnd();
        }, waitForRoomMs);
      };
      if (isScriptOver) makeRoom();
    },
    accepted(): void {
      makeRoom = undefined;
      if (isEndOnly && refusedLog) discard(refusedLog);
    },
    scriptEnded(): void {
      isScriptOver = true;
      makeRoom?.();
    },
    /** Call it when all output is in the log. It frees the spool, because the end of the run needs room, too. */
    stored(): void {
      if (refusedLog) discard(refusedLog);
    },
    close: (): void => clearTimeout(endOnlyTimer),
  };
}

/** If lines may be missing, adds a line to the log that says so. */
async function noteLoss({ at, runLog, mayHaveLost }: Destination): Promise<void> {
  if (mayHaveLost()) await runLog.note(at, 'the disk was full: lines that were printed meanwhile may be missing');
}

type Place = {
  /** The offset in the spool at which the appended bytes end. */
  readonly spoolEnd: number;
  /** Whether the bytes were printed while no server read the spool. */
  readonly isRecovered: boolean;
  /** Called when the disk refuses the bytes. */
  readonly onRefused?: (error: unknown) => void;
};

/** No secret is longer than this, in whatever form it is printed. */
const longestSecretBytes = 2 ** 20;

/** Output that the log leaves out, because reading was too far behind. */
type Gap = { readonly endOffset: number; readonly textBytes: number };

/** Redacts what was read, appends it to the log and announces it. */
function createSink({ at, runLog, redactor, withRetry }: Destination) {
  const lines = createSpoolLines(redactor);
  const errors = createErrorTail(redactor);
  let gap: Gap | undefined;

  async function append(log: LogWriter, bytes: Buffer, { spoolEnd, isRecovered, onRefused }: Place): Promise<void> {
    const { heldBytes, aheadBytes } = lines;
    const settledEnd = Math.max(0, spoolEnd - heldBytes);
    if (gap) return widen(log, gap, { addedBytes: bytes.length, spoolEnd: settledEnd });
    const printed = { ...at, bytes, spoolEnd: settledEnd, aheadBytes, isRecovered };
    const appended = await withRetry(() => log.append(printed), onRefused);
    errors.add(bytes);
    announce(runLog, appended);
  }

  /** Adds output to the gap. At the end of the gap, the log records how much output it leaves out. */
  function widen(log: LogWriter, before: Gap, to: { readonly addedBytes: number; readonly spoolEnd: number }): void {
    const { spoolEnd } = to;
    const textBytes = before.textBytes + to.addedBytes;
    gap = spoolEnd < before.endOffset ? { ...before, textBytes } : undefined;
    if (!gap) log.leaveOut({ ...at, textBytes, spool: { offset: spoolEnd, aheadBytes: lines.aheadBytes } });
  }

  /** Appends a line that has no end yet. */
  async function flush(open: () => Promise<LogWriter>, spoolEnd: number): Promise<void> {
    const rest = lines.flush();
    if (rest.length > 0) await append(await open(), rest, { spoolEnd, isRecovered: false });
    if (gap) widen(await open(), { ...gap, endOffset: 0 }, { addedBytes: 0, spoolEnd });
  }

  return {
    errors,
    flush,
    /** Appends the part of the output that can already be redacted. */
    add: (log: LogWriter, bytes: Buffer, place: Place) => append(log, lines.push(bytes), place),
    /** Handles a part of the spool that cannot be read. The line that began before this part ends here. */
    async jump(log: LogWriter, { cause, fromOffset, toOffset }: SpoolJump, spoolEnd: number): Promise<void> {
      await flush(async () => log, spoolEnd);
      if (cause === 'behind') {
        // A secret that began before `toOffset` is not found. So the output that may be the end of such a secret is
        // left out, too.
        gap = { endOffset: toOffset + longestSecretBytes, textBytes: toOffset - fromOffset };
        return;
      }
      const what = cause === 'hole' ? 'holds nothing' : 'was cut off by the script';
      await runLog.note(at, `the output from byte ${fromOffset} to byte ${toOffset} ${what}`);
    },
  };
}

/** Finds out how large the spool of an earlier process is, and how much of it is in the log. */
async function findEarlierOutput(
  { spoolPath, hasBegun }: SpoolSource,
  { at, runLog, withRetry }: Destination,
): Promise<{ readonly recoveredEnd: number; readonly spoolEnd: number }> {
  // This comes before the check for the spool: a shim creates the spool before it reports that it has begun.
  const isBegun = await withRetry(hasBegun);
  const size = statSync(spoolPath, { throwIfNoEntry: false })?.size;
  const spoolEnd = (await runLog.open()).spoolOffset(at);
  if (isBegun && size === undefined) {
    const what = spoolEnd === 0 ? 'the output' : `the output after byte ${spoolEnd}`;
    await runLog.note(at, `${what} is lost: somebody removed the file to which it was printed`);
  }
  return { recoveredEnd: size ?? 0, spoolEnd };
}

function announce(runLog: RunLog, { firstSeq, count, progress }: Awaited<ReturnType<LogWriter['append']>>): void {
  // If several reports of progress were read at once, the last one is the current one.
  const latest = progress.at(-1);
  if (!latest) {
    runLog.addLines({ firstSeq, count });
    return;
  }
  const { percent, message, afterSeq } = latest;
  // `afterSeq` also counts lines that are still held back. They are announced later, so they come after this progress.
  const before = Math.min(count, afterSeq - firstSeq + 1);
  runLog.addLines({ firstSeq, count: before });
  runLog.addProgress({ percent, message }, afterSeq);
  runLog.addLines({ firstSeq: firstSeq + before, count: count - before });
}
