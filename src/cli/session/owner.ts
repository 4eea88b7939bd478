// An owner of a data dir, and how a command reaches it. The owner is a server, or a command with an instance in its
// process.

import { type Client, createClient, type Fetch, type HttpAnswer } from '../../client/client.ts';
import { readCliToken } from '../../instance/cli-token.ts';
import { askToStartRun, findOwner, isStillOwner, type OwnerInfo } from '../../instance/owner-lock.ts';
import { httpFetch } from '../../lib/http/http-fetch.ts';

export type Owner = {
  readonly pid: number;
  readonly url: string;
  readonly token: string | undefined;
  readonly fetch: Fetch;
  /** The owner is a command: this one or another. */
  readonly isEphemeral: boolean;
  /** Whether the owner has begun to close, so that another owner can follow. Only an owner in this process has this. */
  readonly isClosing?: () => boolean;
  readonly ensureStarted: (runId: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

export function toOwner(dataDir: string, owner: OwnerInfo, url: string): Owner {
  const { pid, certificate, isEphemeral = false } = owner;
  return {
    pid,
    url,
    token: readCliToken(dataDir),
    fetch: certificate ? pinnedFetch(certificate) : fetchWhileOwned(dataDir, owner),
    isEphemeral,
    async ensureStarted(runId) {
      // A server starts every pending run by itself, so only a command has to be asked to start this run. If the owner
      // cannot be reached, the next request fails, too, and finds the next owner.
      if (isEphemeral) await askToStartRun(dataDir, runId).catch(() => undefined);
    },
    close: async () => undefined,
  };
}

/** Asks the running server once; undefined: no server runs, or it does not answer. Never waits for the next owner. */
export async function askServer<T>(dataDir: string, ask: (server: Client) => Promise<T>): Promise<T | undefined> {
  try {
    const found = await findOwner(dataDir);
    if (!found?.url || found.isEphemeral) return undefined;
    const owner = toOwner(dataDir, found, found.url);
    const fetchBy: Fetch = (url, init) => askOwner(owner, url.slice(owner.url.length), init);
    return await ask(createClient({ baseUrl: owner.url, client: 'cli', fetch: fetchBy }));
  } catch {
    return undefined;
  }
}

/** A server in a container may have the same pid and address after a restart, but never the same token. */
export function isSameOwner(dataDir: string, owner: Owner, { pid, url }: Pick<OwnerInfo, 'pid' | 'url'>): boolean {
  return owner.pid === pid && owner.url === url && owner.token === readCliToken(dataDir);
}

/** Reads short answers completely, so that a request can be repeated if the server is killed in the middle. */
export async function askOwner(
  { url, token, fetch: fetchBy }: Owner,
  path: string,
  init: Parameters<Fetch>[1],
): Promise<HttpAnswer> {
  const headers = token === undefined ? init.headers : { ...init.headers, authorization: `Bearer ${token}` };
  const answer = await fetchBy(`${url}${path}`, { ...init, headers });
  if (answer.ok && headers.accept !== 'application/json') return answer;
  const text = await answer.text();
  return { ok: answer.ok, status: answer.status, headers: answer.headers, body: null, text: async () => text };
}

/**
 * Sends requests only while the owner owns the data dir. Once it has ended, another user could listen on its port, and
 * must not receive them.
 */
function fetchWhileOwned(dataDir: string, owner: OwnerInfo): Fetch {
  return async (url, init) => {
    if (await isStillOwner(dataDir, owner)) return httpFetch(url, init);
    throw ended(dataDir);
  };
}

/** The error that fetch throws when nobody listens. */
export function ended(dataDir: string): TypeError {
  const cause = Object.assign(new Error(`the server of ${dataDir} has ended`), { code: 'ECONNREFUSED' });
  return new TypeError('fetch failed', { cause });
}

/**
 * Creates a client for a server in this process, also before the server has read its jobs: until then, the data dir's
 * socket does not announce it.
 */
export function clientOf({
  url: baseUrl,
  cliToken: token,
  certificate,
}: import('../../main.ts').RunningServer): Client {
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

/** Loads TLS on the first call. */
function pinnedFetch(certificate: string): Fetch {
  return async (url, init) => {
    const { createPinnedFetch } = await import('./pinned-fetch.ts');
    return createPinnedFetch(certificate)(url, init);
  };
}
