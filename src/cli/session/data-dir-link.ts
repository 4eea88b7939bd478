// The way to the owner of this user's data dir: a server, another command, or an instance in this very process. When the
// owner leaves, it leads to the next one, as often as it takes (ADR 0021).

import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient, type Fetch, type HttpAnswer } from '../../client/client.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { readCliToken } from '../../instance/cli-token.ts';
import {
  acquireOwnership,
  askToAttend,
  DataDirOwned,
  findOwner,
  isStillOwner,
  type OwnerInfo,
} from '../../instance/owner-lock.ts';
import { systemClock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import { httpFetch } from './http-fetch.ts';

export type DataDirLink = {
  /** Of the first owner. */
  readonly url: string;
  /** Of an address below `url`; it is asked of whoever has the data dir by then. */
  readonly fetch: Fetch;
  /** The owner is a command, this one or another. */
  readonly isEphemeral: () => boolean;
  /** From now on this run is started if it waits, also by an owner that is a command and starts only some. */
  readonly attend: (runId: string) => void;
  readonly close: () => Promise<void>;
};

type Ephemeral = import('../../main.ts').Ephemeral;
type RunningServer = import('../../main.ts').RunningServer;

/** An owner of the data dir, and how it is reached. */
type Link = {
  readonly pid: number;
  readonly url: string;
  readonly token: string | undefined;
  readonly fetch: Fetch;
  /** It ends with a command, this one or another. */
  readonly isEphemeral: boolean;
  readonly attend: (runId: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** How long the next owner is waited for after the link broke, or after the last sign of an owner since then. */
const ownerWithinMs = 10_000;
const againMs = 50;

/** @throws DataDirOwned, StartError */
export async function linkDataDir(
  loaded: LoadedConfig,
  { makesRoom = false }: { readonly makesRoom?: boolean },
): Promise<DataDirLink> {
  const { dataDir } = loaded.config.instance;
  const runs = new Set<string>();
  let makesWayUntilMs = -Infinity;
  let lastSignMs = systemClock.monotonicMs();
  /** No owner has answered since the link failed. */
  let isBroken = false;
  const closing = new AbortController();
  let relinking: Promise<Link | undefined> | undefined;

  /** A server wants the data dir: it has it from now on, and this command asks it. */
  async function makeWay(own: Link): Promise<void> {
    makesWayUntilMs = systemClock.monotonicMs() + ownerWithinMs;
    await own.close();
  }

  const becomeOwner = (): Promise<Link> =>
    openEphemeral(loaded, { runs, makesRoom, onYield: (own) => void own.then(makeWay, () => undefined) });

  /**
   * The owner after this one. A server that has gone is waited for, since its operator starts the next one; where a
   * command has gone, or nobody was there, this process becomes the owner.
   * undefined: there is no other one. @throws DataDirOwned where the first one does not say where it is
   */
  async function findNext(before: Link | undefined): Promise<Link | undefined> {
    const mayBecome = before?.isEphemeral ?? true;
    let seenPid: number | undefined;
    // Later requests do not wait again for a server that this link has given up.
    if (mayBecome || !isBroken) lastSignMs = systemClock.monotonicMs();
    isBroken = true;
    while (!closing.signal.aborted) {
      let refused: DataDirOwned | undefined;
      const owner = await findOwner(dataDir);
      if (owner?.makesWay) makesWayUntilMs = systemClock.monotonicMs() + ownerWithinMs;
      if (owner?.url && !(before && isSame(before, owner))) return toOwner(dataDir, owner, owner.url);
      // It starts or leaves. A command does so in a moment; of anything else that has the data dir nobody knows how long.
      if (owner && !owner.url && (owner.isEphemeral || owner.pid !== seenPid)) lastSignMs = systemClock.monotonicMs();
      seenPid = owner?.pid;
      const nowMs = systemClock.monotonicMs();
      if (mayBecome && !owner && nowMs > makesWayUntilMs) {
        try {
          return await becomeOwner();
        } catch (error) {
          if (!(error instanceof DataDirOwned)) throw error;
          refused = error;
        }
      }
      if (nowMs > Math.max(lastSignMs, makesWayUntilMs) + ownerWithinMs) {
        if (before) return undefined;
        throw refused ?? new DataDirOwned(dataDir, owner);
      }
      await delay(againMs);
    }
    return undefined;
  }

  function isSame(link: Link, { pid, url }: OwnerInfo): boolean {
    // A server in a container has the same pid and address after a restart.
    return link.pid === pid && link.url === url && link.token === readCliToken(dataDir);
  }

  async function take(next: Link | undefined): Promise<Link | undefined> {
    if (!next) return undefined;
    link = next;
    isBroken = false;
    await Promise.all([...runs].map((runId) => next.attend(runId)));
    return next;
  }

  function relink(failed: Link): Promise<Link | undefined> {
    if (link !== failed) return Promise.resolve(link);
    relinking ??= findNext(failed)
      .then(take)
      .finally(() => {
        relinking = undefined;
      });
    return relinking;
  }

  async function isTurnedAway(by: Link, { status }: HttpAnswer): Promise<boolean> {
    // It is about to end, or another one has come with a token of its own.
    return (status === 401 || status === 503) && !(isSame(by, by) && (await isStillOwner(dataDir, by)));
  }

  const first = await findNext(undefined);
  if (!first) throw new Error('a link is closed while it is opened');
  let link = first;

  return {
    url: first.url,
    async fetch(url, init) {
      const path = url.slice(first.url.length);
      for (;;) {
        const by = link;
        let answer: HttpAnswer | undefined;
        let failure: unknown;
        try {
          answer = await ask(by, path, init);
          if (!(await isTurnedAway(by, answer))) {
            isBroken = false;
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
    isEphemeral: () => link.isEphemeral,
    attend(runId) {
      runs.add(runId);
      void link.attend(runId);
    },
    async close() {
      closing.abort();
      // It may be becoming the owner at this moment.
      await relinking?.catch(() => undefined);
      await link.close();
    },
  };
}

/** A short answer is read at once: where the server is killed in the middle of it, the request is repeated. */
async function ask(
  { url, token, fetch: fetchBy }: Link,
  path: string,
  init: Parameters<Fetch>[1],
): Promise<HttpAnswer> {
  const headers = token === undefined ? init.headers : { ...init.headers, authorization: `Bearer ${token}` };
  const answer = await fetchBy(`${url}${path}`, { ...init, headers });
  if (answer.ok && headers.accept !== 'application/json') return answer;
  const text = await answer.text();
  return { ok: answer.ok, status: answer.status, headers: answer.headers, body: null, text: async () => text };
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', abort));
}

/** Nothing came of it, or nothing more comes of it the second time. */
function mayRepeat(error: unknown, { method, headers }: Parameters<Fetch>[1]): boolean {
  const { cause } = error instanceof Error ? error : {};
  return method === 'GET' || 'idempotency-key' in headers || errorCode(cause) === 'ECONNREFUSED';
}

function toOwner(dataDir: string, owner: OwnerInfo, url: string): Link {
  const { pid, certificate, isEphemeral = false } = owner;
  return {
    pid,
    url,
    token: readCliToken(dataDir),
    fetch: certificate ? pinnedFetch(certificate) : fetchWhileOwned(dataDir, owner),
    isEphemeral,
    async attend(runId) {
      // A server starts whatever waits; of an owner that cannot be asked any more the next request hears.
      if (isEphemeral) await askToAttend(dataDir, runId).catch(() => undefined);
    },
    close: async () => undefined,
  };
}

/** Loads TLS with the first call. */
function pinnedFetch(certificate: string): Fetch {
  return async (url, init) => {
    const { createPinnedFetch } = await import('./pinned-fetch.ts');
    return createPinnedFetch(certificate)(url, init);
  };
}

/** Another user can wait for the port of a server that ends, and must not be sent what was for that one. */
function fetchWhileOwned(dataDir: string, owner: OwnerInfo): Fetch {
  return async (url, init) => {
    if (await isStillOwner(dataDir, owner)) return httpFetch(url, init);
    throw ended(dataDir);
  };
}

/** As fetch says that nobody listens there. */
function ended(dataDir: string): TypeError {
  const cause = Object.assign(new Error(`the server that had ${dataDir} has ended`), { code: 'ECONNREFUSED' });
  return new TypeError('fetch failed', { cause });
}

/** For a server of this process. The data dir's socket does not name it until its jobs are read. */
export function clientOf({ url: baseUrl, cliToken: token, certificate }: RunningServer): Client {
  return createClient({
    baseUrl,
    client: 'cli',
    token,
    fetch(url, init) {
      const shown = certificate();
      return (shown === null ? httpFetch : pinnedFetch(shown))(url, init);
    },
  });
}

/**
 * An instance in this process, on a port of loopback's that nobody knows of, for whoever may read the data dir.
 * @param o.onYield a server asks for the data dir, or has it already: the instance is to be closed
 * @throws DataDirOwned, StartError
 */
export async function openEphemeral(
  { config, file }: Pick<LoadedConfig, 'config' | 'file'>,
  { onYield, ...o }: Omit<Ephemeral, 'ownership'> & { readonly onYield?: (own: Promise<Link>) => void },
): Promise<Link> {
  const { dataDir } = config.instance;
  const opening = Promise.withResolvers<Link>();
  // Taken before the server's code is loaded: of commands at once, those that are too late need not load it.
  const ownership = await acquireOwnership(dataDir, {
    isEphemeral: true,
    warn: () => undefined,
    onYield: () => onYield?.(opening.promise),
    onLost: () => onYield?.(opening.promise),
    onAttend: (runId) => void opening.promise.then((own) => own.attend(runId)).catch(() => undefined),
  });
  const { serve } = await import('../../main.ts');
  const bind = { host: '127.0.0.1', port: 0 };
  try {
    const server = await serve(
      {
        ...config,
        server: { ...config.server, bind, tls: null, trustProxy: false },
        auth: { mode: 'required', isDev: false, trustJobs: false, jwt: null },
        // What the command has to say is said by the command.
        logging: { ...config.logging, level: 'error' },
      },
      file,
      { ...o, ownership },
    );
    let closing: Promise<void> | undefined;
    const own: Link = {
      pid: process.pid,
      url: server.url,
      token: readCliToken(dataDir),
      async fetch(url, init) {
        if (closing) throw ended(dataDir);
        return httpFetch(url, init);
      },
      isEphemeral: true,
      attend: async (runId) => server.attend(runId),
      close: () => (closing ??= server.stop()),
    };
    opening.resolve(own);
    return own;
  } catch (error) {
    opening.promise.catch(() => undefined);
    opening.reject(error);
    throw error;
  }
}
