// Connects to the owner of this user's data dir: a server, another command, or an instance in this process. When the
// owner ends, it connects to the next one (ADR 0021).

import { existsSync } from 'node:fs';
import type { Fetch, HttpAnswer } from '../../client/client.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { isStillOwner } from '../../instance/owner-lock.ts';
import { errorCode } from '../../lib/error-code.ts';
import { openEphemeral } from './ephemeral.ts';
import { createOwnerSearch } from './next-owner.ts';
import { askOwner, isSameOwner, type Owner } from './owner.ts';

/**
 * `all`: the data dir or its database is missing. `part`: a file beside the database is missing, so nothing more can be
 * stored, but everything that was stored is still there.
 */
export type Lost = 'all' | 'part';

export type DataDirLink = {
  /** The first owner's address. */
  readonly url: string;
  /** Accepts addresses below `url`, and sends each request to the current owner. */
  readonly fetch: Fetch;
  /** The owner is a command: this one or another. */
  readonly isEphemeral: () => boolean;
  /** The owner is this process. */
  readonly isOwn: () => boolean;
  /** Says which files are missing if the owner is this process; otherwise null. */
  readonly lost: () => Lost | null;
  /** Makes the owner start this run if it is pending. A command that owns the data dir starts no other runs. */
  readonly ensureStarted: (runId: string) => void;
  readonly close: () => Promise<void>;
};

/** @throws DataDirOwned, StartError */
export async function linkDataDir(
  loaded: LoadedConfig,
  { makesRoom = false }: { readonly makesRoom?: boolean },
): Promise<DataDirLink> {
  const { instance, persistence } = loaded.config;
  const { dataDir } = instance;
  const runs = new Set<string>();
  const search = createOwnerSearch(dataDir, (onYield) => openEphemeral(loaded, { runs, makesRoom, onYield }));
  const first = await search.next(undefined);
  if (!first) throw new Error('a link is closed while it is opened');
  let owner = first;
  let relinking: Promise<Owner | undefined> | undefined;

  async function findNext(failed: Owner): Promise<Owner | undefined> {
    const next = await search.next(failed);
    if (!next) return undefined;
    owner = next;
    search.found();
    await Promise.all([...runs].map((runId) => next.ensureStarted(runId)));
    return next;
  }

  function relink(failed: Owner): Promise<Owner | undefined> {
    if (owner !== failed) return Promise.resolve(owner);
    // If this process is the owner and has not begun to close, somebody has removed its data dir. A second instance
    // there would know nothing of the runs.
    if (owner.isClosing?.() === false) return Promise.resolve(undefined);
    relinking ??= findNext(failed).finally(() => {
      relinking = undefined;
    });
    return relinking;
  }

  async function isTurnedAway(by: Owner, { status }: HttpAnswer): Promise<boolean> {
    // True if this owner is about to end, or was replaced by an owner with another token.
    return (status === 401 || status === 503) && !(isSameOwner(dataDir, by, by) && (await isStillOwner(dataDir, by)));
  }

  const isOwn = (): boolean => owner.pid === process.pid;
  return {
    url: first.url,
    async fetch(url, init) {
      const path = url.slice(first.url.length);
      for (;;) {
        const by = owner;
        let answer: HttpAnswer | undefined;
        let failure: unknown;
        try {
          answer = await askOwner(by, path, init);
          if (!(await isTurnedAway(by, answer))) {
            search.found();
            return answer;
          }
        } catch (error) {
          if (init.signal?.aborted || !mayRepeat(error, init)) throw error;
          failure = error;
        }
        if (await unlessAborted(relink(by), init.signal)) continue;
        if (answer) return answer;
        throw failure;
      }
    },
    isEphemeral: () => owner.isEphemeral,
    isOwn,
    lost: () => (isOwn() ? lostOf(persistence.dbPath) : null),
    ensureStarted(runId) {
      runs.add(runId);
      void owner.ensureStarted(runId);
    },
    async close() {
      search.stop();
      // Wait, because this process may be about to become the owner.
      await relinking?.catch(() => undefined);
      await owner.close();
    },
  };
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', abort));
}

/** Whether the request can be repeated: it had no effect, or a second one changes nothing. */
function mayRepeat(error: unknown, { method, headers }: Parameters<Fetch>[1]): boolean {
  const { cause } = error instanceof Error ? error : {};
  return method === 'GET' || 'idempotency-key' in headers || errorCode(cause) === 'ECONNREFUSED';
}

function lostOf(dbPath: string): Lost | null {
  if (!existsSync(dbPath)) return 'all';
  return ['-wal', '-shm'].every((end) => existsSync(`${dbPath}${end}`)) ? null : 'part';
}
