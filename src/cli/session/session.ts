// Connects a command to an instance, through the API. The instance is on another machine, or it is the server that runs
// in this user's data dir. Without such a server, it is an instance in this process, which ends with the command (ADR
// 0021).

import { existsSync, readFileSync } from 'node:fs';
import { keepAnswers } from '../../client/answer-shape.ts';
import { ApiProblem } from '../../client/api-problem.ts';
import { type Client, createClient, type Fetch } from '../../client/client.ts';
import type { Config } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { findDenied } from '../../instance/data-dir.ts';
import { findOwner } from '../../instance/owner-lock.ts';
import { isTakeoverUnfinished } from '../../instance/takeover-folder.ts';
import { assertRestored } from '../../instance/unfinished-restore.ts';
import { packageVersion } from '../../instance/version.ts';
import { isLoopback } from '../../lib/loopback.ts';
import { nearest } from '../../lib/nearest.ts';
import { jobsDir, type Options } from '../command.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { fileTrouble } from '../file-trouble.ts';
import { ownName } from '../own-name.ts';
import { commandText } from './command-text.ts';
import { loadConfiguration } from './configuration.ts';
import { type Lost, linkDataDir } from './data-dir-link.ts';

export type Session = {
  readonly client: Client;
  /** The instance's address or data dir, as messages name it. */
  readonly where: string;
  /** The address of the instance. If the session is ephemeral, nobody listens there after the command has ended. */
  readonly url: string;
  /**
   * True if no server has the data dir. In this case, only the runs that a command waits for are driven. Other runs
   * continue only as far as they can without flwd.
   */
  readonly isEphemeral: () => boolean;
  /** True if this command itself has the data dir. */
  readonly isOwn: () => boolean;
  /** Says which files are missing if this command itself has the data dir; otherwise null. */
  readonly lost: () => Lost | null;
  /** Makes the owner of the data dir start this run if it is pending, also after the owner changes. */
  readonly ensureStarted: (runId: string) => void;
  /** Writes a command for the same instance, as the user can type it. */
  readonly command: (...words: readonly string[]) => string;
  /**
   * If an answer of the server lacked a required member, says which versions of flwd do not fit together; otherwise
   * null.
   */
  readonly versionMismatch: () => Promise<string | null>;
  readonly close: () => Promise<void>;
};

type SessionRequest = {
  /** Creates the instance if it does not exist. */
  readonly mayCreate?: boolean;
  /** The command removes data, so it must also work on a full disk. */
  readonly makesRoom?: boolean;
  /** The command itself reports interrupted takeovers, so no warning is printed. */
  readonly isTakeover?: boolean;
  /** The session is for an agent, which gets only those scopes of the caller that are in this list. */
  readonly agentScopes?: readonly string[];
};

/** @throws Refusal */
async function openSession(options: Options, o: SessionRequest): Promise<Session> {
  const remote = remoteOf(options);
  if (remote) return openRemote(remote, options, o);
  const loaded = loadConfiguration(options);
  // A typo in --data-dir must not create an instance.
  if (!o.mayCreate) assertInstance(loaded.config);
  return openOwn(loaded, options, o);
}

/** Connects to a remote or to the running server of the data dir; undefined: no server runs. @throws Refusal */
export async function openServedSession(options: Options): Promise<Session | undefined> {
  const remote = remoteOf(options);
  if (remote) return openRemote(remote, options, {});
  const loaded = loadConfiguration(options);
  const owner = await findOwner(loaded.config.instance.dataDir);
  return owner?.url ? openOwn(loaded, options, {}) : undefined;
}

/** Whether the command works on this machine and not on a remote. */
export function isOfThisMachine(options: Options): boolean {
  return remoteOf(options) === undefined;
}

/**
 * Call this in commands that work on the files of a data dir. @throws Refusal if the user or FLWD_REMOTE names a remote
 */
export function assertOfThisMachine(verb: string, options: Options): void {
  if (isOfThisMachine(options)) return;
  throw new Refusal(
    `flwd ${verb} works on the files of the data dir: run it on that machine, or unset ${process.env.FLWD_REMOTE ? 'FLWD_REMOTE' : 'FLOWD_REMOTE'}`,
  );
}

export function remoteOf(options: Options): string | undefined {
  return options.get('remote')?.[0] ?? ofEnvironment('REMOTE');
}

/** FLOWD_ is the former prefix. An empty variable counts as not set. */
function ofEnvironment(name: 'REMOTE' | 'TOKEN'): string | undefined {
  return process.env[`FLWD_${name}`] || process.env[`FLOWD_${name}`] || undefined;
}

export function hasInstance({ persistence }: Config): boolean {
  return existsSync(persistence.dbPath);
}

/** @throws Refusal */
export function assertInstance(config: Config): void {
  assertRestored(config.instance.dataDir);
  if (hasInstance(config)) return;
  const denied = findDenied(config.instance.dataDir, config.persistence.dbPath);
  if (denied) throw denied;
  const what = `there is no flwd instance in ${config.instance.dataDir} yet`;
  const how = `${ownName} serve or a first ${ownName} run creates one; --data-dir names another folder`;
  throw new Refusal(`${what}: ${how}`, exitCodes.notFound);
}

async function openRemote(remote: string, options: Options, request: SessionRequest): Promise<Session> {
  const given = ['data-dir', 'jobs'].find((name) => options.has(name));
  if (given) throw new Refusal(`--${given} is for this machine and --remote for another: use one of them`);
  const isUrl = isAddress(remote);
  const address = { baseUrl: remote, tokenFile: null, caFile: null };
  const { baseUrl, tokenFile, caFile } = isUrl ? address : namedRemote(remote, options);
  const token = tokenFile === null ? tokenOfEnvironment(options) : readTokenFile(remote, tokenFile);
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (!url) throw new Refusal(`${baseUrl} is not an address such as https://flwd.example`);
  if (caFile !== null && url.protocol !== 'https:')
    throw new Refusal(`the remote \`${remote}\` has a \`ca_file\`, but its address is not https: ${baseUrl}`);
  if (token !== undefined && url.protocol === 'http:' && !isLoopback(url.hostname))
    process.stderr.write(`flwd: ${baseUrl} does not use TLS: the token is sent unencrypted\n`);
  const client = createClient({
    baseUrl,
    ...interfaceOf(request),
    ...(token !== undefined && { token }),
    ...(caFile !== null && { fetch: await trustingFetch(remote, caFile) }),
  });
  return {
    ...knowing(client, baseUrl),
    where: baseUrl,
    url: baseUrl,
    isEphemeral: () => false,
    isOwn: () => false,
    lost: () => null,
    ensureStarted: () => undefined,
    command: (...words) => commandText(options, ...words),
    close: async () => undefined,
  };
}

function knowing(by: Client, url: string): Pick<Session, 'client' | 'versionMismatch'> {
  const { client, versionMismatch } = keepAnswers(by);
  return { client, versionMismatch: () => versionMismatch(`the server at ${url}`, packageVersion()) };
}

/** Returns the members with which the client tells the server which interface uses it. */
function interfaceOf({ agentScopes }: SessionRequest) {
  return agentScopes ? ({ client: 'mcp', agentScopes } as const) : ({ client: 'cli' } as const);
}

/** Loads TLS only if a remote needs it. @throws Refusal */
async function trustingFetch(remote: string, caFile: string): Promise<Fetch> {
  const { createTrustingFetch } = await import('./private-ca.ts');
  return createTrustingFetch(remote, caFile);
}

function namedRemote(name: string, options: Options): Config['remotes'][string] {
  const { remotes } = loadConfiguration(options).config;
  if (Object.hasOwn(remotes, name) && remotes[name]) return remotes[name];
  const names = Object.keys(remotes);
  const near = nearest(name, names);
  const others = names.length > 0 ? `; the remotes are ${names.join(', ')}` : ': flwd.yaml has no remotes';
  const what = `there is no remote \`${name}\`${near ? `; did you mean \`${near}\`?` : `${others}. An address begins with http:// or https://`}`;
  throw new Refusal(what);
}

/** If FLWD_REMOTE is set, FLWD_TOKEN is the token for it, and is not sent to an address that --remote names. */
function mayUseVariable(options: Options): boolean {
  return !options.has('remote') || ofEnvironment('REMOTE') === undefined;
}

function tokenOfEnvironment(options: Options): string | undefined {
  return mayUseVariable(options) ? ofEnvironment('TOKEN') : undefined;
}

function isAddress(remote: string): boolean {
  return /^https?:\/\//.test(remote);
}

function readTokenFile(remote: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new Refusal(`cannot read the token of the remote \`${remote}\` from ${path}: ${fileTrouble(error)}`);
  }
}

async function openOwn(loaded: LoadedConfig, options: Options, request: SessionRequest): Promise<Session> {
  const { makesRoom = false, isTakeover = false } = request;
  if (!isTakeover) warnOfTakeover(loaded.config, options);
  const { url: baseUrl, fetch: fetchBy, ...link } = await linkDataDir(loaded, { makesRoom });
  // A server has these warnings in its own log.
  if (link.isEphemeral()) for (const warning of loaded.warnings) process.stderr.write(`flwd: ${warning}\n`);
  const client = createClient({ baseUrl, ...interfaceOf(request), fetch: fetchBy });
  // Suggested commands leave out --jobs if a server is running, because the server has its own sources.
  const ofServed = new Map([...options].filter(([name]) => name !== jobsDir.name));
  const command = (...words: readonly string[]): string =>
    commandText(link.isEphemeral() ? options : ofServed, ...words);
  return { ...knowing(client, baseUrl), where: loaded.config.instance.dataDir, url: baseUrl, command, ...link };
}

/**
 * Warns that neither flwd nor cron starts the jobs of an interrupted takeover: flwd holds them, and their lines in the
 * crontab may already be comments.
 */
function warnOfTakeover({ instance: { dataDir } }: Config, options: Options): void {
  if (!isTakeoverUnfinished(dataDir)) return;
  const command = commandText(options, 'takeover');
  process.stderr.write(`flwd: a takeover was interrupted, so nothing starts its jobs: finish it with ${command}\n`);
}

/** Opens a session, calls `work` with it, and always closes it. @throws Refusal for what the user can fix */
export async function withSession<T>(
  options: Options,
  work: (session: Session) => Promise<T>,
  request: SessionRequest = {},
): Promise<T> {
  return workWith(await openSession(options, request), options, work);
}

/** Calls `work` with an open session, and always closes the session. @throws Refusal for what the user can fix */
export async function workWith<T>(
  session: Session,
  options: Options,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  try {
    return await work(session);
  } catch (error) {
    // These errors can mean that an answer lacked a member that the command reads.
    const versionMismatch =
      error instanceof TypeError || error instanceof RangeError ? await session.versionMismatch() : null;
    if (versionMismatch !== null) throw new Refusal(versionMismatch);
    const remote = remoteOf(options);
    if (remote === undefined || !(error instanceof ApiProblem && error.status === 401)) throw error;
    throw new Refusal(`${error.message} ${tokenWords(remote, options)}`, exitCodes.notAllowed);
  } finally {
    await session.close();
  }
}

/** Says where this command finds the token of a remote. */
function tokenWords(remote: string, options: Options): string {
  const isUrl = isAddress(remote);
  const named = `\`remotes: {${isUrl ? 'NAME' : remote}: {auth: {token_file: …}}}\` of flwd.yaml`;
  const use = isUrl ? ', with --remote NAME' : '';
  return `Set the token in ${mayUseVariable(options) ? 'FLWD_TOKEN, or in ' : ''}${named}${use}.`;
}
