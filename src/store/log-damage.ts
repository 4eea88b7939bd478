// A segment that cannot be read: a line that says so stands in its place, for every way in which a log is read.

import { setTimeout as delay } from 'node:timers/promises';
import type { LogLine } from '../domain/log-line.ts';
import { errorCode } from '../lib/error-code.ts';
import type { Logger } from '../lib/logger.ts';
import type { Database } from './database.ts';
import { createChunkEncoder, engineLine, maxChunkTextBytes } from './log-encode.ts';
import { DamagedSegment, type LoadedSegment, loadSegment, type Segment, segmentPath } from './log-segment.ts';

/** A line of no step: no script can print one. */
export const noStep = '';
const start = { offset: 0, aheadBytes: 0 };
/** Retention removes the files of a log and, some milliseconds later, the rows. */
export const removalMs = 250;

export function createSegmentLoader(o: {
  readonly dir: string;
  readonly db: Database;
  readonly isOpen: (runId: string) => boolean;
  readonly log: Logger;
}): (runId: string, segment: Segment) => Promise<LoadedSegment> {
  const encode = createChunkEncoder();

  /** In the place of its last line: a reader goes on behind it. */
  function standIn(runId: string, { n, firstSeq, lastSeq, lastAtUs, encoding }: Segment, why: string): LoadedSegment {
    const file = segmentPath('logs', runId, n, encoding);
    o.log.error({ run_id: runId, file }, `a file of a log ${why}`);
    const lines = firstSeq === lastSeq ? `line ${firstSeq}` : `lines ${firstSeq} to ${lastSeq}`;
    const bytes = engineLine(`… ${lines} of this log cannot be read: the file ${file} ${why} …`);
    const input = { attempt: 1, stepId: noStep, bytes, isRecovered: false, from: start, to: start };
    const at = { firstSeq: lastSeq, firstAtUs: lastAtUs, chunkTextBytes: maxChunkTextBytes };
    const { out, chunks } = encode(input, at);
    // Memory of its own: its reader may give it back.
    const content = Buffer.allocUnsafeSlow(chunks.at(-1)?.end ?? 0);
    out.copy(content);
    return { file: content, chunkStarts: [0] };
  }

  async function isKept(runId: string, n: number): Promise<boolean> {
    if (o.isOpen(runId)) return true;
    await delay(removalMs);
    const rows = o.db.read.selectFrom('log_segments').select('n').where('run_id', '=', runId).where('n', '=', n);
    return (await rows.executeTakeFirst()) !== undefined;
  }

  return async (runId, segment) => {
    try {
      return await loadSegment(o.dir, runId, segment);
    } catch (error) {
      if (error instanceof DamagedSegment) return standIn(runId, segment, 'is damaged');
      if (errorCode(error) === 'ENOENT' && (await isKept(runId, segment.n)))
        return standIn(runId, segment, 'is missing');
      throw error;
    }
  };
}

/** Whether it stands for lines that cannot be read. */
export function isStandIn({ step_id: stepId }: LogLine): boolean {
  return stepId === noStep;
}
