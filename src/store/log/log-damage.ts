// Loads segments. If a segment cannot be read, readers get a line that says so instead (ADR 0082).

import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../../lib/error-code.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Database } from '../database.ts';
import { placeholderFor } from './log-placeholder.ts';
import { DamagedSegment, type LoadedSegment, loadSegment, type Segment, segmentPath } from './log-segment.ts';

/** How long retention may take from the removal of a log's files to the removal of their rows. */
export const removalMs = 250;

export function createSegmentLoader(o: {
  readonly dir: string;
  readonly db: Database;
  readonly isOpen: (runId: string) => boolean;
  readonly log: Logger;
}): (runId: string, segment: Segment) => Promise<LoadedSegment> {
  function report(runId: string, { n, encoding }: Segment, why: string): string {
    const file = segmentPath('logs', runId, n, encoding);
    o.log.error({ run_id: runId, file }, `a log file ${why}`);
    return file;
  }

  function placeholder(runId: string, segment: Segment, why: string): LoadedSegment {
    return { file: placeholderFor(segment, report(runId, segment, why), why), chunkStarts: [0] };
  }

  async function isKept(runId: string, n: number): Promise<boolean> {
    if (o.isOpen(runId)) return true;
    await delay(removalMs);
    const rows = o.db.read.selectFrom('log_segments').select('n').where('run_id', '=', runId).where('n', '=', n);
    return (await rows.executeTakeFirst()) !== undefined;
  }

  return async (runId, segment) => {
    try {
      const loaded = await loadSegment(o.dir, runId, segment);
      if (loaded.isDamaged) report(runId, segment, 'is partly damaged');
      return loaded;
    } catch (error) {
      if (error instanceof DamagedSegment) return placeholder(runId, segment, 'is damaged');
      // ENOTDIR means that somebody has replaced one of the folders with a file.
      if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '') && (await isKept(runId, segment.n)))
        return { ...placeholder(runId, segment, 'is missing'), isMissing: true };
      throw error;
    }
  };
}
