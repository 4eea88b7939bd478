// The program of the search thread. It reads segments, decompresses them, and finds the lines that are wanted.

import { parentPort } from 'node:worker_threads';
import { errorCode } from '../../../lib/error-code.ts';
import { createSerial } from '../../../lib/serial.ts';
import { hasStepId, readChunk } from '../log-chunk.ts';
import { toLines } from '../log-render.ts';
import { createSelection } from '../log-search.ts';
import { DamagedSegment, freeSegment, type LoadedSegment, loadSegment, readOnThisThread } from '../log-segment.ts';
import { createTextCheck } from '../log-text.ts';
import type { FoundLine, SearchedSegment, SearchFound, SearchTask } from './search-task.ts';

const mostChars = 1000;
const charsBefore = 200;

// Tasks run one after the other, so the segments of only one task are in memory at a time.
const serial = createSerial();
parentPort?.on('message', ({ id, task }: { readonly id: number; readonly task: SearchTask }) => {
  void serial.run(async () => {
    try {
      parentPort?.postMessage({ id, found: await search(task) });
    } catch (error) {
      parentPort?.postMessage({ id, error });
    }
  });
});

async function search({ dir, filter, segments, most }: SearchTask): Promise<SearchFound> {
  const mayHold = createCheck(filter.text);
  const found = { lines: [] as FoundLine[], segments: 0, bytes: 0, unreadable: 0 };
  for (const [at, segment] of segments.entries()) {
    if (found.lines.length === most) break;
    const content = await load(dir, segment);
    if (content === 'unreadable') found.unreadable += 1;
    if (typeof content !== 'object') continue;
    found.segments += 1;
    found.bytes += content.file.length;
    const { beforeSeq } = segment;
    const lines = mayHold(content)
      ? linesOf(content, { ...filter, ...(beforeSeq !== undefined && { beforeSeq }) })
      : [];
    for (const line of lines) {
      if (found.lines.length === most) break;
      found.lines.push({ at, ...line });
    }
    freeSegment(content);
  }
  return found;
}

/** Returns undefined if retention has removed the segment. */
async function load(
  dir: string,
  { runId, segment }: SearchedSegment,
): Promise<LoadedSegment | 'unreadable' | undefined> {
  try {
    return await loadSegment(dir, runId, segment, readOnThisThread);
  } catch (error) {
    if (error instanceof DamagedSegment) return 'unreadable';
    if (errorCode(error) === 'ENOTDIR') return 'unreadable';
    if (errorCode(error) !== 'ENOENT') throw error;
    // The plain file was compressed or removed in the meantime.
    return segment.encoding === 'raw' ? load(dir, { runId, segment: { ...segment, encoding: 'zstd' } }) : undefined;
  }
}

/**
 * Rules out segments that cannot contain the text. It checks a segment as a whole, because a script that prints slowly
 * has a chunk for each line. A segment with a placeholder is never ruled out.
 */
function createCheck(text: string | undefined): (content: LoadedSegment) => boolean {
  if (!text) return () => true;
  const mayHold = createTextCheck(text);
  return ({ file, chunkStarts }) =>
    mayHold(file, 0, file.length) || chunkStarts.some((start) => !hasStepId(file, start));
}

/** Yields the matching lines of a segment, the last line first. */
function* linesOf(
  { file, chunkStarts }: LoadedSegment,
  filter: SearchTask['filter'],
): Generator<Omit<FoundLine, 'at'>> {
  const select = createSelection(filter);
  for (const start of chunkStarts.toReversed()) {
    const part = select(readChunk(file, start));
    if (!part) continue;
    for (const { seq, timestamp, level, message } of toLines(part).toReversed())
      yield { seq, timestamp, level, message: around(message, filter.text ?? '') };
  }
}

function around(message: string, text: string): string {
  if (message.length <= mostChars) return message;
  const from = Math.max(0, message.toLowerCase().indexOf(text.toLowerCase()) - charsBefore);
  const cut = message.slice(from, from + mostChars).toWellFormed();
  return `${from > 0 ? '…' : ''}${cut}${from + mostChars < message.length ? '…' : ''}`;
}
