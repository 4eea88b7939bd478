// An owner of a data dir and how a command reaches it: a server, or another command that has an instance in its process.

import { type Client, createClient, type Fetch, type HttpAnswer } from '../../client/client.ts';
import { readCliToken } from '../../instance/cli-token.ts';
import { askToAttend, isStillOwner, type OwnerInfo } from '../../instance/owner-lock.ts';
import { httpFetch } from './http-fetch.ts';

export type Owner = {
  readonly pid: number;
  readonly url: string;
  readonly token: string | undefined;
  readonly fetch: Fetch;
  /** It ends with a command, this one or another. */
  readonly isEphemeral: boolean;
  readonly attend: (runId: string) => Promise<void>;
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
    async attend(runId) {
      // A server starts whatever waits; of an owner that cannot be asked any more the next request hears.
      if (isEphemeral) await askToAttend(dataDir, runId).catch(() => undefined);
    },
    close: async () => undefined,
  };
}

/** A server in a container has the same pid and address after a restart, but not the same token. */
export function isSameOwner(dataDir: string, owner: Owner, { pid, url }: Pick<OwnerInfo, 'pid' | 'url'>): boolean {
  return owner.pid === pid && owner.url === url && owner.token === readCliToken(dataDir);
}

/** A short answer is read at once: where the server is killed in the middle of it, the request is repeated. */
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

/** Another user can wait for the port of a server that ends, and must not be sent what was for that one. */
function fetchWhileOwned(dataDir: string, owner: OwnerInfo): Fetch {
  return async (url, init) => {
    if (await isStillOwner(dataDir, owner)) return httpFetch(url, init);
    throw ended(dataDir);
  };
}

/** As fetch says that nobody listens there. */
export function ended(dataDir: string): TypeError {
  const cause = Object.assign(new Error(`the server that had ${dataDir} has ended`), { code: 'ECONNREFUSED' });
  return new TypeError('fetch failed', { cause });
}

/** For a server of this process. The data dir's socket does not name it until its jobs are read. */
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

/** Loads TLS with the first call. */
function pinnedFetch(certificate: string): Fetch {
  return async (url, init) => {
    const { createPinnedFetch } = await import('./pinned-fetch.ts');
    return createPinnedFetch(certificate)(url, init);
  };
}
