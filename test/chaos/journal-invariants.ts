// Invariants of the events, as rows and as followers see them. A power cut may lose announced lines of a run that was
// running (docs/reliability.md), so checks of lines leave out those runs.

import { type Evidence, livedThroughACut } from './evidence.ts';
import type { SeenFrame } from './follower.ts';
import type { Invariant } from './invariant.ts';

export const journalInvariants: readonly Invariant[] = [
  {
    name: 'ids-grow',
    sentence: 'Event ids only grow, and no two entries of the journal share an id.',
    breaches({ events }) {
      let next = 1;
      return events.flatMap(({ id, count }) => {
        const breach = id < next ? [`the row ${id} begins before ${next}`] : [];
        next = id + count;
        return breach;
      });
    },
  },
  {
    name: 'lines-announced-once',
    sentence: 'The journal announces each line of a log once.',
    breaches(evidence) {
      const { events, logs } = evidence;
      const cut = cutRuns(evidence);
      const next = new Map<string, number>();
      const breaches: string[] = [];
      for (const { type, run_id, first_seq, count } of events) {
        if (first_seq === null || cut.has(run_id)) continue;
        // In a job with steps, a line has two ids.
        const lineCount = type === 'step.output' ? count / 2 : count;
        const wanted = next.get(run_id) ?? 1;
        if (first_seq !== wanted) breaches.push(`${run_id} announces line ${first_seq} where ${wanted} is next`);
        next.set(run_id, first_seq + lineCount);
      }
      for (const [runId, lines] of logs) {
        if (cut.has(runId)) continue;
        const announced = (next.get(runId) ?? 1) - 1;
        if (announced !== lines.length) breaches.push(`${runId} has ${lines.length} lines, ${announced} announced`);
      }
      return breaches;
    },
  },
  {
    name: 'follower-saw-all',
    sentence:
      'A follower that resumes with Last-Event-ID over every restart sees each event once, with the same id, text and time as a new follower.',
    breaches(evidence) {
      const { seen } = evidence;
      const cut = cutRuns(evidence);
      const breaches = seen.flatMap(({ id }, i) => {
        const before = seen[i - 1]?.id ?? 0;
        return id > before ? [] : [`id ${id} came after ${before}`];
      });
      const shown = new Map(withoutLinesOf(cut, seen).map((frame) => [frame.id, `${frame.event} ${frame.data}`]));
      for (const { id, event, data } of withoutLinesOf(cut, evidence.replayed)) {
        const was = shown.get(id);
        shown.delete(id);
        if (was === undefined) breaches.push(`${id} was never seen: ${event} ${data}`);
        else if (was !== `${event} ${data}`) breaches.push(`${id} was ${was} and is ${event} ${data}`);
      }
      for (const [id, was] of shown) breaches.push(`${id} was seen and is gone: ${was}`);
      return breaches;
    },
  },
  {
    name: 'times-stay',
    sentence: 'A follower sees each line with the time that the log has at the end.',
    breaches(evidence) {
      const { logs } = evidence;
      const cut = cutRuns(evidence);
      const shown = Map.groupBy(
        evidence.seen.filter(({ event }) => event === 'run.output'),
        ({ runId }) => runId,
      );
      return [...logs].flatMap(([runId, lines]) => {
        if (cut.has(runId)) return [];
        const then = (shown.get(runId) ?? []).map(({ data }) => timeAndMessage(JSON.parse(data)));
        const now = lines.map(timeAndMessage);
        const at = now.findIndex((line, i) => line !== then[i]);
        return at < 0 ? [] : [`${runId} line ${at + 1} is ${now[at]} and was shown as ${then[at]}`];
      });
    },
  },
];

function timeAndMessage({ timestamp, message }: { timestamp: string; message: string }): string {
  return `${timestamp} ${message}`;
}

/** The runs that may have lost lines. */
function cutRuns(evidence: Evidence): ReadonlySet<string> {
  return new Set(evidence.runs.filter((run) => livedThroughACut(evidence, run)).map(({ id }) => id));
}

function withoutLinesOf(runIds: ReadonlySet<string>, frames: readonly SeenFrame[]): SeenFrame[] {
  return frames.filter(({ event, runId }) => !event.endsWith('.output') || !runIds.has(runId));
}
