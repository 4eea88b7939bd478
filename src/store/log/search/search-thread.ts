// The thread that searches logs. It starts with the first search, and ends when there was no search for some time. So
// an instance that nobody searches does not spend memory on it.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { SearchFound, SearchTask } from './search-task.ts';

export type SearchThread = ReturnType<typeof createSearchThread>;

type Waiting = { readonly resolve: (found: SearchFound) => void; readonly reject: (error: unknown) => void };
type Answer = { readonly id: number; readonly found?: SearchFound; readonly error?: unknown };

const idleMs = 30_000;
/** In a checkout, the thread's program is a TypeScript file. In a package, it is a JavaScript file. */
const program = new URL(`./search-worker${extname(import.meta.url)}`, import.meta.url);

export function createSearchThread() {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  let lastId = 0;

  function start(): Worker {
    const started = new Worker(program, { name: 'log search' });
    started.on('message', ({ id, found, error }: Answer) => {
      const one = waiting.get(id);
      waiting.delete(id);
      if (found) one?.resolve(found);
      else one?.reject(error);
      if (waiting.size === 0) becomeIdle(started);
    });
    started.on('error', (error) => end(started, error));
    started.on('exit', () => end(started, new Error('the thread that searches logs has ended')));
    return started;
  }

  /** Lets the process end while the thread has nothing to do, and ends the thread after a while. */
  function becomeIdle(started: Worker): void {
    started.unref();
    idle = setTimeout(() => end(started, undefined), idleMs).unref();
  }

  function end(started: Worker, error: unknown): void {
    if (worker !== started) return;
    worker = undefined;
    clearTimeout(idle);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    void started.terminate();
  }

  return {
    search(task: SearchTask): Promise<SearchFound> {
      clearTimeout(idle);
      worker ??= start();
      worker.ref();
      lastId += 1;
      const id = lastId;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker?.postMessage({ id, task });
      });
    },
    /** Ends the thread. Searches in progress fail. */
    async close(): Promise<void> {
      const ending = worker;
      if (ending) end(ending, new Error('the server is stopping'));
      await ending?.terminate();
    },
  };
}
