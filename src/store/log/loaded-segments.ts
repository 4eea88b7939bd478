// Loads the segments of logs for readers. A segment that several readers need is loaded once.

import { LRUCache } from 'lru-cache';
import type { Logger } from '../../lib/logger.ts';
import type { Database } from '../database.ts';
import { createSegmentLoader } from './log-damage.ts';
import { readSegments } from './log-resume.ts';
import { freeSegment, type LoadedSegment, type Segment } from './log-segment.ts';

/** The segments of a log that is being written; undefined for other logs. */
export type OpenSegments = (runId: string) => readonly Segment[] | undefined;

export type Segments = ReturnType<typeof createSegments>;

const loadedBytes = 18 * 2 ** 20;
/**
 * How many segments of `loadOwn` may be in memory. Their readers may pause for a long time while they use a segment.
 */
const mostOwnSegments = 4;

export function createSegments(o: {
  readonly dir: string;
  readonly db: Database;
  readonly log: Logger;
  readonly openSegments: OpenSegments;
}) {
  const loaded = new LRUCache<string, { readonly lastSeq: number; readonly content: Promise<LoadedSegment> }>({
    maxSize: loadedBytes,
  });
  const loadKnown = createSegmentLoader({ ...o, isOpen: (runId) => o.openSegments(runId) !== undefined });
  let ownSegments = 0;

  return {
    of: async (runId: string): Promise<readonly Segment[]> => {
      const open = o.openSegments(runId);
      if (open) return open;
      const left = await readSegments(o.dir, o.db, runId);
      return o.openSegments(runId) ?? left;
    },
    /** Loads a segment that all readers share. It contains at least the lines up to `throughSeq`. */
    load(runId: string, segment: Segment, throughSeq: number): Promise<LoadedSegment> {
      const key = `${runId}/${segment.n}`;
      const known = loaded.get(key);
      if (known && known.lastSeq >= throughSeq) return known.content;
      const entry = { lastSeq: segment.lastSeq, content: loadKnown(runId, segment) };
      // A damaged segment may have no bytes, and the cache does not accept a size of 0.
      loaded.set(key, entry, { size: Math.max(1, segment.rawBytes) });
      const drop = () => loaded.peek(key) === entry && loaded.delete(key);
      // If the file is missing, the result is not cached, because somebody may put the file back.
      entry.content.then(({ isMissing }) => isMissing && drop(), drop);
      return entry.content;
    },
    /**
     * Loads a segment for a single reader, which frees it after use. Returns undefined if too many are loaded; the
     * reader then uses `load`.
     */
    async loadOwn(
      runId: string,
      segment: Segment,
    ): Promise<{ readonly content: LoadedSegment; readonly free: () => void } | undefined> {
      if (ownSegments >= mostOwnSegments) return undefined;
      ownSegments += 1;
      try {
        const content = await loadKnown(runId, segment);
        return {
          content,
          free() {
            ownSegments -= 1;
            freeSegment(content);
          },
        };
      } catch (error) {
        ownSegments -= 1;
        throw error;
      }
    },
  };
}
