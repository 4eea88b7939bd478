// What a command works with: an instance of flwd, reached through its API. It is another machine's, or that of this user's
// data dir: the server there, or, where there is none, one in this very process for as long as the command takes (ADR 0021).

import { existsSync, readFileSync } from 'node:fs';
import { type Client, createClient, type Fetch } from '../../client/client.ts';
import type { Config } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { findOwner } from '../../instance/owner-lock.ts';
import { errorCode } from '../../lib/error-code.ts';
import { isLoopback } from '../../lib/loopback.ts';
import { nearest } from '../../lib/nearest.ts';
import { jobsDir, type Options } from '../command.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { commandText } from './command-text.ts';
import { loadConfiguration } from './configuration.ts';
import { linkDataDir } from './data-dir-link.ts';

export type Session = {
  readonly client: Client;
  /** Whose instance it is, for people: an address, or the data dir. */
  readonly where: string;
  /** No server has the data dir: what this process does not wait for goes on by itself, as far as it can. */
  readonly isEphemeral: () => boolean;
  /** A run to see to, also where another command had the data dir and has ended meanwhile. */
  readonly attend: (runId: string) => void;
  /** A command for the same instance, as it is typed. */
  readonly command: (...words: readonly string[]) => string;
  readonly close: () => Promise<void>;
};

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
  return openOwn(loaded, options, o);
}

/** That of a server: another machine's, or the one that has the data dir. undefined: there is none. @throws Refusal */
export async function openServedSession(options: Options): Promise<Session | undefined> {
  const remote = remoteOf(options);
  if (remote) return openRemote(remote, options);
  const loaded = loadConfiguration(options);
  const owner = await findOwner(loaded.config.instance.dataDir);
  return owner?.url ? openOwn(loaded, options, {}) : undefined;
}

/** No other machine's is asked for. */
export function isOfThisMachine(options: Options): boolean {
  return remoteOf(options) === undefined;
}

/** For commands that work on the files of a data dir. @throws Refusal where the environment names another machine's instance */
export function assertOfThisMachine(verb: string, options: Options): void {
  if (isOfThisMachine(options)) return;
  throw new Refusal(`flwd ${verb} works on the data dir itself: run it on that machine, or unset FLWD_REMOTE`);
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
    isEphemeral: () => false,
    attend: () => undefined,
    command: (...words) => commandText(options, ...words),
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

async function openOwn(
  loaded: LoadedConfig,
  options: Options,
  { makesRoom = false }: SessionRequest,
): Promise<Session> {
  const { url: baseUrl, fetch: fetchBy, ...link } = await linkDataDir(loaded, { makesRoom });
  const client = createClient({ baseUrl, client: 'cli', fetch: fetchBy });
  // A server has sources of its own.
  const ofServed = new Map([...options].filter(([name]) => name !== jobsDir.name));
  const command = (...words: readonly string[]): string =>
    commandText(link.isEphemeral() ? options : ofServed, ...words);
  return { client, where: loaded.config.instance.dataDir, command, ...link };
}

/** Opens a session, works with it, and closes it whatever comes. @throws Refusal for what the user can fix */
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
