// Turns journal entries into the events that are sent. An entry for output stands for lines of a log, which are read
// from the log. Frames are cached, because many streams send the same frames.

import { LRUCache } from 'lru-cache';
import { type EventType, eventsOfLine, isOutput, type JournalEntry } from '../../domain/event.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { LogStore } from '../../store/log/logs.ts';

type EventFrame = {
  readonly id: number;
  readonly type: EventType;
  readonly data: Readonly<Record<string, unknown>>;
};

/** Which events of an entry are sent: events of these types (undefined: of all types) whose id is after `afterId`. */
type Cut = { readonly types: ReadonlySet<EventType> | undefined; readonly afterId: number };

export type EventFrames = {
  /** The events as server-sent events, and their number. */
  readonly sse: (entry: JournalEntry, cut: Cut) => Promise<SseFrames>;
  /** The events as JSON, one object per line. */
  readonly jsonLines: (entry: JournalEntry, cut: Cut) => Promise<string>;
};

type SseFrames = { readonly bytes: Buffer; readonly count: number };

const cachedBytes = 8 * 1024 * 1024;

/** The types of the events that an entry expands to. */
export function typesOf({ type }: JournalEntry): readonly EventType[] {
  return type === 'run.output' || type === 'step.output' ? eventsOfLine[type] : [type];
}

export function createEventFrames(logs: LogStore): EventFrames {
  /** The key is the id of the entry and the types that are sent. */
  const whole = new LRUCache<string, Promise<SseFrames>>({ maxSize: cachedBytes });

  async function expand(entry: JournalEntry): Promise<readonly EventFrame[]> {
    const about = { run_id: entry.runId, job_id: entry.jobId, tenant: entry.tenant };
    if (!isOutput(entry)) {
      return [
        { id: entry.id, type: entry.type, data: { ...about, timestamp: toTimestamp(entry.atMs), ...entry.data } },
      ];
    }
    const types = eventsOfLine[entry.type];
    const lines = await logs.lines(entry.runId, entry.firstSeq, entry.lineCount);
    return lines.flatMap((line) => {
      const firstId = entry.id + (line.seq - entry.firstSeq) * types.length;
      const data = { ...about, ...line };
      return types.map((type, at) => ({ id: firstId + at, type, data }));
    });
  }

  async function framesOf(entry: JournalEntry, { types, afterId }: Cut): Promise<readonly EventFrame[]> {
    return (await expand(entry)).filter(({ id, type }) => id > afterId && (types?.has(type) ?? true));
  }

  async function toSse(entry: JournalEntry, cut: Cut): Promise<SseFrames> {
    const frames = await framesOf(entry, cut);
    let json = '';
    const texts = frames.map(({ id, type, data }, at) => {
      // All events of a line share one data object, so it is serialized once.
      if (data !== frames[at - 1]?.data) json = JSON.stringify(data);
      return `id: ${id}\nevent: ${type}\ndata: ${json}\n\n`;
    });
    return { bytes: Buffer.from(texts.join('')), count: frames.length };
  }

  return {
    sse(entry, cut) {
      if (entry.id <= cut.afterId) return toSse(entry, cut);
      const key = `${entry.id} ${typesOf(entry)
        .filter((type) => cut.types?.has(type) ?? true)
        .join(' ')}`;
      const known = whole.get(key);
      if (known) return known;
      const made = toSse(entry, cut);
      whole.set(key, made, { size: 512 });
      void made.then(
        ({ bytes }) => {
          // Without the delete, the cache would keep the old size for the same value.
          whole.delete(key);
          whole.set(key, made, { size: 512 + bytes.length });
        },
        () => whole.peek(key) === made && whole.delete(key),
      );
      return made;
    },
    async jsonLines(entry, cut) {
      const frames = await framesOf(entry, cut);
      return frames.map(({ id, type, data }) => `${JSON.stringify({ id, event: type, ...data })}\n`).join('');
    },
  };
}
