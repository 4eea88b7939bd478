// Finds the key-value requests that a script writes to its out folder, and has them answered. An attempt without
// requests costs one inotify watch. A job that floods its folder can use only a limited part of the server's time.

import { type FSWatcher, opendirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { isShortage } from '../../lib/shortage.ts';
import { answerKvRequest, idOfRequest, type KvAnswer, type KvRequest, readKvRequest } from './kv-request.ts';

export type KvRequests = ReturnType<typeof serveKvRequests>;

/** How many requests are answered at a time. A script waits for each answer, so it has few requests open. */
const mostAtOnce = 32;
/** Limits an attempt to 500 requests a second. */
const pauseMs = 2;
/** Each change of the folder that adds no complete request makes the next pause 1 ms longer, up to this time. */
const longestMissMs = 20;
const mostEntries = 1_000;
const againMs = 1_000;
/** How often to look even without an event, because an event may be missed. */
const pollMs = 30_000;
/** How often to look at the folder when the system has no file watches left. */
const unwatchedMs = 250;

type Options = {
  readonly attemptDir: string;
  /** Rejects only if no request can be answered any more. */
  readonly answer: (request: KvRequest) => Promise<KvAnswer>;
  /** Called once if the folder contains too many files to find a request among them. */
  readonly onOverfull: () => void;
  /** Called once if the folder could not be read. Requests are still served. */
  readonly onError: (error: unknown) => void;
};

export function serveKvRequests(o: Options) {
  const outDir = join(o.attemptDir, 'out');
  const closing = Promise.withResolvers<void>();
  let hasClosed = false;
  const isClosed = (): boolean => hasClosed;
  let isOverfull = false;
  let hasFailed = false;
  let misses = 0;

  /**
   * Reads the folder once, and answers the requests in it. The watch for `change` began earlier, so that no request can
   * arrive unnoticed.
   */
  async function turn(change: Change): Promise<void> {
    const found = findRequests(outDir);
    if (found === 'overfull') {
      if (!isOverfull) o.onOverfull();
      isOverfull = true;
      change.end();
      await pause(againMs);
    } else if (found.length > 0) {
      change.end();
      misses = (await answerAll(o, found, isClosed)) ? 0 : misses + 1;
      await pause(misses > 0 ? Math.min(misses, longestMissMs) : found.length * pauseMs);
    } else {
      const sinceMs = performance.now();
      await Promise.race([change.happened, closing.promise]);
      change.end();
      misses = performance.now() - sinceMs > longestMissMs ? 0 : misses + 1;
      if (misses > 0) await pause(Math.min(misses, longestMissMs));
    }
  }

  function pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms).unref();
    return Promise.race([promise, closing.promise]).finally(() => clearTimeout(timer));
  }

  async function follow(): Promise<void> {
    while (!isClosed()) {
      const change = watchOnce(outDir);
      try {
        await turn(change);
      } catch (error) {
        // The attempt's folder was removed, so there is nothing left to serve.
        if (isClosed() || errorCode(error) === 'ENOENT') return;
        if (!hasFailed && !isShortage(error)) {
          hasFailed = true;
          o.onError(error);
        }
        await pause(againMs);
      } finally {
        change.end();
      }
    }
  }

  void follow();
  return {
    close: (): void => {
      hasClosed = true;
      closing.resolve();
    },
  };
}

/** Returns false if no request was answered, for example because the requests are still being written. */
async function answerAll(
  { attemptDir, answer }: Options,
  ids: readonly string[],
  isClosed: () => boolean,
): Promise<boolean> {
  const done = ids.map(async (id) => {
    const reading = readKvRequest(join(attemptDir, 'out'), id);
    if (reading.kind === 'none') return false;
    const given =
      reading.kind === 'refused'
        ? ({ kind: 'error', message: reading.message } as const)
        : await answer(reading.request);
    return !isClosed() && answerKvRequest(attemptDir, id, given);
  });
  return (await Promise.all(done)).includes(true);
}

function findRequests(outDir: string): readonly string[] | 'overfull' {
  const ids: string[] = [];
  const folder = opendirSync(outDir, { bufferSize: 256 });
  try {
    let entries = 0;
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      entries += 1;
      if (entries > mostEntries) return 'overfull';
      const id = idOfRequest(entry.name);
      if (id !== undefined && ids.length < mostAtOnce) ids.push(id);
    }
  } finally {
    folder.closeSync();
  }
  return ids;
}

type Change = { readonly happened: Promise<void>; readonly end: () => void };

/** The watch ends with the first event, so that a flood of events reaches the server only once. */
function watchOnce(folder: string): Change {
  const { promise: happened, resolve } = Promise.withResolvers<void>();
  let watcher: FSWatcher | undefined;
  const end = (): void => {
    watcher?.close();
    clearTimeout(timer);
    resolve();
  };
  try {
    watcher = watch(folder, { persistent: false }, end);
    watcher.on('error', end);
  } catch {
    // The system has no watch left.
  }
  const timer = setTimeout(end, watcher ? pollMs : unwatchedMs).unref();
  return { happened, end };
}
