// Journal entries → what is sent of them. An output entry stands for lines of a run's log, which it is expanded from.
// Frames of what many streams follow are made once.

import type { EventType, JournalEntry } from '../domain/event.ts';
import { createBoundedCache } from '../lib/bounded-cache.ts';
import { toTimestamp } from '../lib/clock.ts';
import type { LogStore } from '../store/logs.ts';

type EventFrame = {
  readonly id: number;
  readonly type: EventType;
  readonly data: Readonly<Record<string, unknown>>;
};

export type EventFrames = {
  /** The frames of an entry whose id is after `afterId`, as server-sent events. */
  readonly sse: (entry: JournalEntry, afterId: number) => Promise<Buffer>;
  /** The same as JSON, one object a line. */
  readonly jsonLines: (entry: JournalEntry, afterId: number) => Promise<string>;
};

const cachedBytes = 8 * 1024 * 1024;

export function createEventFrames(logs: LogStore): EventFrames {
  const whole = createBoundedCache<JournalEntry, Promise<Buffer>>(cachedBytes);

  async function expand(entry: JournalEntry): Promise<readonly EventFrame[]> {
    const about = { run_id: entry.runId, job_id: entry.jobId, tenant: entry.tenant };
    if (entry.type !== 'run.output') {
      return [
        { id: entry.id, type: entry.type, data: { ...about, timestamp: toTimestamp(entry.atMs), ...entry.data } },
      ];
    }
    const lines = await logs.lines(entry.runId, entry.firstSeq, entry.count);
    return lines.map(({ seq, timestamp, level, message, step_id }) => ({
      id: entry.id + seq - entry.firstSeq,
      type: 'run.output',
      data: { ...about, timestamp, level, message, step_id },
    }));
  }

  async function toSse(entry: JournalEntry, afterId: number): Promise<Buffer> {
    const frames = (await expand(entry)).filter(({ id }) => id > afterId);
    return Buffer.from(
      frames.map(({ id, type, data }) => `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`).join(''),
    );
  }

  return {
    sse(entry, afterId) {
      if (entry.id <= afterId) return toSse(entry, afterId);
      const known = whole.get(entry);
      if (known) return known;
      const made = toSse(entry, 0);
      whole.set(entry, made, 512);
      void made.then(
        (bytes) => whole.set(entry, made, 512 + bytes.length),
        () => undefined,
      );
      return made;
    },
    async jsonLines(entry, afterId) {
      const frames = (await expand(entry)).filter(({ id }) => id > afterId);
      return frames.map(({ id, type, data }) => `${JSON.stringify({ id, event: type, ...data })}\n`).join('');
    },
  };
}
