// What a command works with: an instance of flwd, reached through its API. It is another machine's, or that of this user's
// data dir: the server there, or, where there is none, one in this very process for as long as the command takes (ADR 0021).

import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient, type Fetch, type HttpAnswer } from '../client/client.ts';
import type { Config } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { readCliToken } from '../lib/cli-token.ts';
import { systemClock } from '../lib/clock.ts';
import { errorCode } from '../lib/error-code.ts';
import { isLoopback } from '../lib/loopback.ts';
import { nearest } from '../lib/nearest.ts';
import { DataDirOwned, findOwner, isStillOwner, type OwnerInfo } from '../lib/owner-lock.ts';
import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { exitCodes, Refusal } from './exit-code.ts';
import { httpFetch } from './http-fetch.ts';

export type Session = {
  readonly client: Client;
  /** Whose instance it is, for people: an address, or the data dir. */
  readonly where: string;
  /** No server has the data dir: what this process does not wait for goes on by itself, as far as it can. */
  readonly isBrief: () => boolean;
  /** A run to see to, also where another command had the data dir and has ended meanwhile. */
  readonly attend: (runId: string) => void;
  readonly close: () => Promise<void>;
};

/** A server that starts or ends, or a command that is about to. */
const ownerWithinMs = 10_000;
const againMs = 50;

type SessionRequest = {
  /** Where there is no instance yet, one is made. */
  readonly mayCreate?: boolean;
  /** It is to remove things, and may find the disk full. */
  readonly makesRoom?: boolean;
};

/** @throws Refusal */
async function openSession(options: Options, o: SessionRequest): Promise<Session> {
  const remote = remoteOf(options);
  if (remote) return openRemote(remote, options);
  const loaded = loadConfiguration(options);
  // A slip of the pen in --data-dir makes no instance.
  if (!o.mayCreate) assertInstance(loaded.config);
  return openOwn(loaded, o);
}

/** That of a server: another machine's, or the one that has the data dir. undefined: there is none. @throws Refusal */
export async function openServedSession(options: Options): Promise<Session | undefined> {
  const remote = remoteOf(options);
  if (remote) return openRemote(remote, options);
  const loaded = loadConfiguration(options);
  const owner = await findOwner(loaded.config.instance.dataDir);
  return owner?.url ? openOwn(loaded, {}) : undefined;
}

/** No other machine's is asked for. */
export function isOfThisMachine(options: Options): boolean {
  return remoteOf(options) === undefined;
}

function remoteOf(options: Options): string | undefined {
  return options.get('remote')?.[0] ?? (process.env.FLWD_REMOTE || undefined);
}

export function hasInstance({ persistence }: Config): boolean {
  return existsSync(persistence.dbPath);
}

/** @throws Refusal */
export function assertInstance(config: Config): void {
  if (hasInstance(config)) return;
  const what = `there is no instance of flwd in ${config.instance.dataDir} yet`;
  const how = 'flwd serve makes one, and so does the first flwd run; --data-dir names another';
  throw new Refusal(`${what}: ${how}`, exitCodes.notFound);
}

async function openRemote(remote: string, options: Options): Promise<Session> {
  const given = ['data-dir', 'jobs'].find((name) => options.has(name));
  if (given) throw new Refusal(`--${given} is of this machine, and --remote of another: leave one out`);
  const isUrl = /^https?:\/\//.test(remote);
  const address = { baseUrl: remote, tokenFile: null, caFile: null };
  const { baseUrl, tokenFile, caFile } = isUrl ? address : namedRemote(remote, options);
  const token = tokenFile === null ? tokenOfEnvironment(options) : readTokenFile(remote, tokenFile);
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (!url) throw new Refusal(`${baseUrl} is no address such as https://flwd.example`);
  if (caFile !== null && url.protocol !== 'https:')
    throw new Refusal(`the remote \`${remote}\` has a \`ca_file\`, and its address no TLS: ${baseUrl}`);
  if (token !== undefined && url.protocol === 'http:' && !isLoopback(url.hostname))
    process.stderr.write(`flwd: ${baseUrl} has no TLS: the token travels in clear\n`);
  return {
    client: createClient({
      baseUrl,
      client: 'cli',
      ...(token !== undefined && { token }),
      ...(caFile !== null && { fetch: await trustingFetch(remote, caFile) }),
    }),
    where: baseUrl,
    isBrief: () => false,
    attend: () => undefined,
    close: async () => undefined,
  };
}

/** Loads TLS where it is asked for. @throws Refusal */
async function trustingFetch(remote: string, caFile: string): Promise<Fetch> {
  const { createTrustingFetch } = await import('./private-ca.ts');
  return createTrustingFetch(remote, caFile);
}

function namedRemote(name: string, options: Options): Config['remotes'][string] {
  const { remotes } = loadConfiguration(options).config;
  if (Object.hasOwn(remotes, name) && remotes[name]) return remotes[name];
  const names = Object.keys(remotes);
  const near = nearest(name, names);
  const others = names.length > 0 ? `: there are ${names.join(', ')}` : ': flwd.yaml has none';
  const what = `no remote is called \`${name}\`${near ? `; did you mean \`${near}\`?` : `${others}; an address begins with http:// or https://`}`;
  throw new Refusal(what);
}

/** Whoever names another address does not send it the token that FLWD_REMOTE's is for. */
function tokenOfEnvironment(options: Options): string | undefined {
  const isForAnother = options.has('remote') && process.env.FLWD_REMOTE;
  return (isForAnother ? undefined : process.env.FLWD_TOKEN) || undefined;
}

function readTokenFile(remote: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new Refusal(
      `the token of the remote \`${remote}\` cannot be read: ${path} (${errorCode(error) ?? 'unreadable'})`,
    );
  }
}

/** Of an instance in this process, if there has to be one. */
type Brief = {
  readonly runs: ReadonlySet<string>;
  readonly makesRoom?: boolean;
  readonly onYield?: () => void;
  readonly trial?: { readonly hides: readonly string[] };
};

/** Where an instance is reached at the moment. */
type Link = {
  readonly url: string;
  readonly token: string | undefined;
  readonly fetch: Fetch;
  /** It ends with a command, this one or another. */
  readonly isBrief: boolean;
  /** It is in this process. */
  readonly isOwn: boolean;
  readonly close: () => Promise<void>;
};

async function openOwn(loaded: LoadedConfig, { makesRoom = false }: SessionRequest): Promise<Session> {
  const runs = new Set<string>();
  const { dataDir } = loaded.config.instance;
  let makesWayUntilMs = -Infinity;
  const brief = {
    runs,
    makesRoom,
    /** A server wants the data dir: it has it from now on, and this command asks it. */
    onYield() {
      void opening.then(async () => {
        if (!link.isOwn) return;
        makesWayUntilMs = systemClock.now() + ownerWithinMs;
        await link.close();
      });
    },
  };
  const opening = openLink(loaded, brief, makesWayUntilMs);
  let link = await opening;
  let relinking: Promise<Link> | undefined;

  /** The command that had the data dir has ended: now another one has it, or this one. */
  function relink(failed: Link): Promise<Link> {
    if (link !== failed) return Promise.resolve(link);
    relinking ??= openLink(loaded, brief, makesWayUntilMs)
      .then((next) => {
        link = next;
        return next;
      })
      .finally(() => {
        relinking = undefined;
      });
    return relinking;
  }

  /** A server that has started anew has another credential, and may listen elsewhere. undefined: there is none but this. */
  async function findAnew(failed: Link): Promise<Link | undefined> {
    if (link !== failed) return link;
    const owner = await findOwner(dataDir);
    const next = owner?.url ? toOwner(dataDir, owner, owner.url) : undefined;
    if (!next || (next.url === failed.url && next.token === failed.token)) return undefined;
    link = next;
    return next;
  }

  const first = link.url;
  const fetchFrom = async (by: Link, path: string, init: Parameters<Fetch>[1]): Promise<HttpAnswer> => {
    const headers = by.token === undefined ? init.headers : { ...init.headers, authorization: `Bearer ${by.token}` };
    return by.fetch(`${by.url}${path}`, { ...init, headers });
  };
  const client = createClient({
    baseUrl: first,
    client: 'cli',
    async fetch(url, init) {
      const path = url.slice(first.length);
      const before = link;
      try {
        const response = await fetchFrom(before, path, init);
        const next = response.status === 401 ? await findAnew(before) : undefined;
        if (!next) return response;
        await response.text();
        return await fetchFrom(next, path, init);
      } catch (error) {
        if (init.signal?.aborted || !mayRepeat(error, init)) throw error;
        const next = before.isBrief ? await relink(before) : await findAnew(before);
        if (!next) throw error;
        return fetchFrom(next, path, init);
      }
    },
  });
  return {
    client,
    where: loaded.config.instance.dataDir,
    isBrief: () => link.isBrief,
    attend: (runId) => void runs.add(runId),
    close: () => link.close(),
  };
}

/** Nothing came of it, or nothing more comes of it the second time. */
function mayRepeat(error: unknown, { method, headers }: Parameters<Fetch>[1]): boolean {
  const { cause } = error instanceof Error ? error : {};
  return method === 'GET' || 'idempotency-key' in headers || errorCode(cause) === 'ECONNREFUSED';
}

async function openLink(loaded: LoadedConfig, brief: Brief, makesWayUntilMs: number): Promise<Link> {
  const { dataDir } = loaded.config.instance;
  const deadlineMs = systemClock.now() + ownerWithinMs;
  for (;;) {
    const owner = await findOwner(dataDir);
    // Of this process: it is about to leave the data dir.
    if (owner?.url && owner.pid !== process.pid) return toOwner(dataDir, owner, owner.url);
    if (systemClock.now() < makesWayUntilMs) {
      await delay(againMs);
      continue;
    }
    try {
      return await openBrief(loaded, brief);
    } catch (error) {
      // It starts, or ends: it says where it is in a moment, or leaves the data dir.
      if (!(error instanceof DataDirOwned) || systemClock.now() > deadlineMs) throw error;
      await delay(againMs);
    }
  }
}

function toOwner(dataDir: string, owner: OwnerInfo, url: string): Link {
  const { certificate, isBrief } = owner;
  return {
    url,
    token: readCliToken(dataDir),
    fetch: certificate ? pinnedFetch(certificate) : fetchWhileOwned(dataDir, owner),
    isBrief: isBrief ?? false,
    isOwn: false,
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

/** Of the server that has the data dir, whatever other one the environment names. */
export async function clientOfOwner(dataDir: string): Promise<Client | undefined> {
  const owner = await findOwner(dataDir);
  if (!owner?.url) return undefined;
  const { url: baseUrl, token, fetch: fetchBy } = toOwner(dataDir, owner, owner.url);
  return createClient({ baseUrl, client: 'cli', fetch: fetchBy, ...(token !== undefined && { token }) });
}

/** On a port of loopback's that nobody knows of, for whoever may read the data dir. */
export async function openBrief({ config, file }: Pick<LoadedConfig, 'config' | 'file'>, brief: Brief): Promise<Link> {
  const { serve } = await import('../main.ts');
  const bind = { host: '127.0.0.1', port: 0 };
  const server = await serve(
    {
      ...config,
      server: { ...config.server, bind, tls: null, trustProxy: false },
      auth: { mode: 'required', isDev: false, jwt: null },
      // What the command has to say is said by the command.
      logging: { ...config.logging, level: 'error' },
    },
    file,
    brief,
  );
  const { dataDir } = config.instance;
  let closing: Promise<void> | undefined;
  return {
    url: server.url,
    token: readCliToken(dataDir),
    async fetch(url, init) {
      if (closing) throw ended(dataDir);
      return httpFetch(url, init);
    },
    isBrief: true,
    isOwn: true,
    close: () => (closing ??= server.stop()),
  };
}

/** Opens a session, works with it, and closes it whatever comes. @throws Refusal for what the user can mend */
export async function withSession<T>(
  options: Options,
  work: (session: Session) => Promise<T>,
  request: SessionRequest = {},
): Promise<T> {
  const session = await openSession(options, request);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
