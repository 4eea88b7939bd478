// Sends the events of runs, from the journal and then live, as server-sent events or JSON lines.

import { type EventType, eventTypes, type JournalEntry } from '../../domain/event.ts';
import type { Reach } from '../../domain/principal.ts';
import { Problem, type ValidationError, validationError } from '../../domain/problem.ts';
import { isFinished } from '../../domain/run.ts';
import type { Hub } from '../../engine/hub.ts';
import { nearest } from '../../lib/nearest.ts';
import type { Journal } from '../../store/journal.ts';
import type { RunReading } from '../../store/reading.ts';
import { preferredType } from '../answers/preferred-type.ts';
import type { Exchange, Handlers } from '../exchange.ts';
import { followJournal } from '../streams/event-feed.ts';
import { type EventFrames, typesOf } from '../streams/event-frames.ts';
import { lastEventId } from '../streams/event-ids.ts';
import type { StreamWriter } from '../streams/open-stream.ts';
import { eventStream, type Streams } from '../streams/streams.ts';

type Names = 'streamRunEvents' | 'getRunEvents' | 'getRunEventLines';

type Selection = {
  readonly reach: Reach;
  readonly runId: string | undefined;
  readonly jobId: string | undefined;
  readonly types: ReadonlySet<EventType> | undefined;
  readonly afterId: number;
  /** The run had finished when the stream was opened. So the stream ends when all events of the run have been sent. */
  readonly hasFinished: boolean;
};

const jsonLines = 'application/x-ndjson';
const quietMs = 10_000;

type Parts = {
  readonly runs: RunReading;
  readonly journal: Journal;
  readonly frames: EventFrames;
  readonly hub: Hub;
  readonly streams: Streams;
  readonly jobIdOf: (idOrAlias: string) => string;
};

export function createEventHandlers(o: Parts): Pick<Handlers, Names> {
  const { streams } = o;

  return {
    async streamRunEvents({ request, reply, query }) {
      const jobId = query.job_id === undefined ? undefined : o.jobIdOf(query.job_id);
      const selection = await select(o, request, { ...query, runId: query.run_id, jobId });
      return streams.send(request, reply, eventStream, (writer) => sendEvents(o, selection, writer));
    },

    async getRunEvents({ request, reply, path, query }) {
      const selection = await select(o, request, { ...query, runId: path.run_id, jobId: undefined });
      const type = preferredType(request.raw.headers.accept, [eventStream, jsonLines]);
      return streams.send(request, reply, type, (writer) =>
        type === eventStream ? sendEvents(o, selection, writer) : sendJsonLines(o, selection, writer),
      );
    },

    async getRunEventLines({ request, reply, path, query }) {
      const selection = await select(o, request, { ...query, runId: path.run_id, jobId: undefined });
      return streams.send(request, reply, jsonLines, (writer) => sendJsonLines(o, selection, writer));
    },
  };
}

/** @throws Problem validation-error, run-not-found, events-expired */
async function select(
  o: Parts,
  request: Exchange<Names>['request'],
  query: {
    readonly runId: string | undefined;
    readonly jobId: string | undefined;
    readonly types?: string;
    readonly last_event_id?: string;
  },
): Promise<Selection> {
  const { runId, jobId } = query;
  const types = query.types === undefined ? undefined : readTypes(query.types);
  const resumed = lastEventId(request, query.last_event_id);
  const reach = request.principal;
  const run = runId === undefined ? undefined : await o.runs.summary(runId, reach);
  if (resumed !== undefined) await assertKept(o, resumed);
  return {
    reach,
    runId,
    jobId,
    types,
    afterId: resumed ?? (runId === undefined ? o.hub.latestId : 0),
    hasFinished: run !== undefined && isFinished(run.status),
  };
}

/** @throws Problem events-expired if events after `afterId` may have been removed */
async function assertKept({ hub, journal }: Parts, afterId: number): Promise<void> {
  // The hub may still have entries whose log lines have been removed, so the journal decides.
  if (afterId > hub.latestId || afterId < (await journal.oldestId()) - 1) {
    throw new Problem('events-expired', `The server no longer has all events after ${afterId}.`);
  }
}

async function sendEvents(o: Parts, selection: Selection, { signal, write }: StreamWriter): Promise<void> {
  const { runId, hasFinished } = selection;
  let toldAtMs = performance.now();
  const tellId = async (id: number): Promise<void> => {
    await write(`id: ${id}\n\n`, 0);
    toldAtMs = performance.now();
  };
  // A client needs an id at once. If the connection broke before the first event, a client without an id would miss
  // what happens until it reconnects.
  if (runId === undefined) await tellId(selection.afterId);
  for await (const { entries, reachedId, isCaughtUp } of followJournal(o, selection, signal)) {
    // A client that gets few events would have an old id. Once retention has removed the event with that id, the client
    // could not resume.
    const isQuiet = runId === undefined && performance.now() - toldAtMs > quietMs;
    if (isQuiet && !entries.some((entry) => isWanted(entry, selection))) await tellId(reachedId);
    for (const entry of entries) {
      if (signal.aborted) return;
      if (isWanted(entry, selection)) {
        const { bytes, count } = await o.frames.sse(entry, selection);
        await write(bytes, count);
        toldAtMs = performance.now();
      }
      if (runId !== undefined && entry.type === 'run.finished') return;
    }
    if (hasFinished && isCaughtUp) return;
  }
}

async function sendJsonLines(o: Parts, selection: Selection, { signal, write }: StreamWriter): Promise<void> {
  for await (const { entries, isCaughtUp } of followJournal(o, selection, signal)) {
    for (const entry of entries) {
      if (signal.aborted) return;
      if (isWanted(entry, selection)) await write(await o.frames.jsonLines(entry, selection));
    }
    if (isCaughtUp) return;
  }
}

function isWanted(entry: JournalEntry, { jobId, types }: Selection): boolean {
  if (jobId !== undefined && entry.jobId !== jobId) return false;
  return types === undefined || typesOf(entry).some((type) => types.has(type));
}

/** @throws Problem validation-error */
function readTypes(text: string): ReadonlySet<EventType> {
  const names = text.split(',').map((name) => name.trim());
  const errors: ValidationError[] = [];
  const types = new Set<EventType>();
  for (const name of names) {
    const type = eventTypes.find((one) => one === name);
    if (type) types.add(type);
    else {
      const meant = nearest(name, eventTypes);
      const hint = meant ? `; did you mean ${meant}?` : `; the names are ${eventTypes.join(', ')}`;
      errors.push({ pointer: '?types', message: `'${name}' is not the name of an event${hint}`, keyword: 'enum' });
    }
  }
  if (errors.length > 0) throw validationError(errors);
  return types;
}
