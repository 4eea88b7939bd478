// MCP over HTTP: sessions for clients of the 2025 protocol, and single requests for clients of the 2026 protocol.
// Callers with the same identity and rights share an account, which lasts as long as one of its sessions or requests.
// Each request repeats everything that a session needs to know. So if a session is not in memory, its next request
// begins it again (ADR 0064).

import {
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  type McpHttpHandler,
  ProtocolError,
  ProtocolErrorCode,
  type RequestId,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { ApiProblem } from '../client/api-problem.ts';
import { createClient } from '../client/client.ts';
import { accountOf, agentScopes, asAgent, holdsScope, type Principal, usualAgentScopes } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import { atMost } from '../lib/at-most.ts';
import { httpFetch } from '../lib/http/http-fetch.ts';
import { createSha256 } from '../lib/sha256.ts';
import { createChanges } from './changes.ts';
import type { Instance, Rights } from './instance.ts';
import { idOf, wrongParams } from './params.ts';
import { createMcpServer, noBatches, notifyOutdated, type Shown } from './server.ts';
import { createUnfinished, type Unfinished } from './unfinished.ts';

type DelegatedCredential = {
  readonly credential: string;
  readonly renew: (principal: Principal) => void;
  readonly end: () => void;
};
type Session = {
  readonly server: Server;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly shown: Shown;
  /** The number of running calls. They continue if their connection is lost. */
  calls: number;
  /** The number of open calls and answers, including the stream that tells the client about changes. */
  uses: number;
  /** The number of open streams that tell the client about changes. Without such a stream, a notification is lost. */
  listening: number;
  usedAtMs: number;
};
type Account = {
  /** Identifies the caller. It does not depend on the caller's rights. */
  readonly owner: string;
  /** The last part of the ids of the account's sessions. */
  readonly mark: string;
  readonly delegated: DelegatedCredential;
  readonly instance: Instance;
  readonly sessions: Map<string, Session>;
  /** The sessions that are just being restored. */
  readonly resuming: Map<string, Promise<Session>>;
  /** Answers clients of the 2026 protocol. */
  readonly modern: McpHttpHandler;
  readonly shown: Shown;
  /** The number of open streams that tell clients of the 2026 protocol about changes. */
  listening: number;
  uses: number;
  /** The server is ending the account. Its calls end, but their runs continue. */
  isEnding: boolean;
};

const most = { sessionsOfOne: 50, sessions: 500, callsOfSession: 20, charsOfId: 200, endedIds: 10_000 };
const sessionId = /^[\da-f-]{36}\.(?<mark>[\w-]{22})$/;
/** The version of the protocol for clients that send no header. */
const versionWithoutHeader = '2025-03-26';
/** Replaces the fingerprint of a client's list of tools if the list may be out of date. */
const unknownPrint = '';
const retryAfterSeconds = 5;
/** How long a server that ends waits for its last requests, which may start or cancel runs. */
const finishMs = 2_000;

export type HttpMcpOptions = Pick<Instance, 'settings' | 'version' | 'ensureStarted'> & {
  /** The address of the API. */
  readonly url: string;
  readonly delegate: (principal: Principal) => DelegatedCredential;
  /**
   * Calls the listener whenever jobs have changed.
   * @returns a function that stops these calls
   */
  readonly onJobsChange: (listener: () => void) => () => void;
  /** The names of the sources that are not trusted. */
  readonly untrustedSources: readonly string[];
  readonly nowMs: () => number;
  /** After this time without a request, a session ends. */
  readonly idleMs: number;
};

type Shared = HttpMcpOptions &
  Pick<Unfinished, 'keep'> & {
    readonly accounts: Map<string, Account>;
    /** The ids of the sessions that clients ended most recently. */
    readonly endedIds: Set<string>;
    /**
     * Shortly afterwards, checks which clients of the account have an outdated list of tools, and notifies those
     * clients.
     */
    readonly lookAt: (account: Account) => void;
  };

export function openHttpMcp(o: HttpMcpOptions) {
  const accounts = new Map<string, Account>();
  const { keep, finished } = createUnfinished();
  const lookAt = (account: Account): void => changes.note([account]);
  const shared: Shared = { ...o, accounts, keep, endedIds: new Set(), lookAt };
  const looking = setInterval(() => endIdle(shared), o.idleMs / 10).unref();
  const changes = createChanges((account: Account) => notifyClients(account, shared));
  const stopHearing = o.onJobsChange(() => changes.note(accounts.values()));

  return {
    /** @param send resolves when the answer has been sent, or when nobody reads it any more */
    async answer(
      request: Request,
      body: unknown,
      { principal, send }: { readonly principal: Principal; readonly send: (answer: Response) => Promise<void> },
    ): Promise<void> {
      if (Array.isArray(body)) return send(refusal(400, ProtocolErrorCode.InvalidRequest, noBatches));
      if (isIdTooLong(body)) return send(refusal(400, ProtocolErrorCode.InvalidRequest, idTooLong));
      const wrong = wrongParams(body);
      if (wrong !== undefined) return send(refusal(200, ProtocolErrorCode.InvalidParams, wrong, idOf(body)));
      const account = accountFor(principal, shared);
      const leave = enter(account, shared);
      try {
        if (await isLegacyRequest(request, body)) await answerInSession(request, body, { account, shared, send });
        else await answerModern(request, body, { account, send });
      } finally {
        leave();
      }
    },
    async close() {
      clearInterval(looking);
      stopHearing();
      changes.close();
      for (const account of accounts.values()) endAccount(account, shared);
      await atMost(finishMs, finished());
      for (const { delegated } of accounts.values()) delegated.end();
    },
  };
}

type Answering = {
  readonly account: Account;
  readonly shared: Shared;
  readonly send: (answer: Response) => Promise<void>;
};

async function answerModern(request: Request, body: unknown, { account, send }: Omit<Answering, 'shared'>) {
  const isListening = isObject(body) && body.method === 'subscriptions/listen';
  if (isListening) account.listening += 1;
  try {
    await send(await account.modern.fetch(request, { parsedBody: body }));
  } finally {
    if (isListening) account.listening -= 1;
  }
}

async function answerInSession(request: Request, body: unknown, { account, shared, send }: Answering): Promise<void> {
  const id = request.headers.get('mcp-session-id');
  if (id === null && !isInitializeRequest(body))
    return send(refusal(400, ProtocolErrorCode.InvalidRequest, 'Begin with `initialize`, or send Mcp-Session-Id.'));
  // Some clients send the id of their last session with the request that begins the next one.
  const isNew = isInitializeRequest(body) && !account.sessions.has(id ?? '');
  const begun = isNew ? await createSession(account, shared, `${crypto.randomUUID()}.${account.mark}`) : undefined;
  const session = begun?.session ?? (await findSession(request, id ?? '', { account, shared }));
  if (!session) return send(refusal(404, -32_001, 'There is no such session: begin a new one.'));
  session.uses += 1;
  try {
    const answer = await session.transport.handleRequest(request, { parsedBody: body });
    if (begun?.isRefused()) {
      await session.transport.close();
      throw tooManySessions();
    }
    if (request.method === 'GET' && answer.status === 200) await listen(session, answer, { account, shared, send });
    else await send(answer);
  } finally {
    session.uses -= 1;
    session.usedAtMs = shared.nowMs();
  }
}

/** Sends the stream that tells the client about changes. It also reports a change that came before the stream began. */
async function listen(session: Session, stream: Response, { account, shared, send }: Answering): Promise<void> {
  session.listening += 1;
  if (session.shown.print === unknownPrint) shared.lookAt(account);
  try {
    await send(stream);
  } finally {
    session.listening -= 1;
  }
}

/** Finds the session with this id. A session of this account that is no longer in memory begins again. */
async function findSession(
  request: Request,
  id: string,
  { account, shared }: Omit<Answering, 'send'>,
): Promise<Session | undefined> {
  const known = account.sessions.get(id);
  const isOwn = sessionId.exec(id)?.groups?.mark === account.mark;
  if (known || !isOwn || shared.endedIds.has(id)) return known;
  // If a client sends several requests at once, they share one attempt.
  const resuming =
    account.resuming.get(id) ??
    resumeSession(request, id, { account, shared }).finally(() => account.resuming.delete(id));
  account.resuming.set(id, resuming);
  return resuming;
}

/** @throws Problem rate-limited */
async function resumeSession(
  { url, headers }: Request,
  id: string,
  { account, shared }: Omit<Answering, 'send'>,
): Promise<Session> {
  const { session, isRefused } = await createSession(account, shared, id);
  const hello = {
    protocolVersion: headers.get('mcp-protocol-version') ?? versionWithoutHeader,
    capabilities: {},
    clientInfo: { name: 'resumed', version: '' },
  };
  const initialize = new Request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  });
  const answer = await session.transport.handleRequest(initialize, {
    parsedBody: { jsonrpc: '2.0', id: 0, method: 'initialize', params: hello },
  });
  await answer.text();
  if (isRefused()) {
    await session.transport.close();
    throw tooManySessions();
  }
  session.shown.print = unknownPrint;
  return session;
}

/** Creates a session, which belongs to its account once the client has initialised it. */
async function createSession(account: Account, shared: Shared, newId: string) {
  const { sessions } = account;
  let isRefused = false;
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => newId,
    onsessioninitialized(id) {
      isRefused = !makeRoom(account.owner, shared);
      if (!isRefused) sessions.set(id, session);
    },
    onsessionclosed(id) {
      sessions.delete(id);
      const { endedIds } = shared;
      endedIds.add(id);
      const [oldest = id] = endedIds;
      if (endedIds.size > most.endedIds) endedIds.delete(oldest);
    },
  });
  const shown: Shown = {};
  const server = createMcpServer(account.instance, {
    shown,
    isLossCancel: () => false,
    keep: (work) => keepFor(account, shared, work),
    enter({ id, signal }) {
      if (session.calls >= most.callsOfSession) throw new ProtocolError(ProtocolErrorCode.InternalError, tooManyCalls);
      session.calls += 1;
      const leave = enter(account, shared);
      return () => {
        session.calls -= 1;
        if (signal.aborted) forgetCall(transport, id);
        leave();
      };
    },
  });
  const session: Session = { server, transport, shown, calls: 0, uses: 0, listening: 0, usedAtMs: shared.nowMs() };
  await server.connect(transport);
  return { session, isRefused: () => isRefused };
}

/**
 * Ends a cancelled call. The SDK leaves the answer of such a call open, and remembers its id until something answers
 * it.
 */
function forgetCall(transport: Session['transport'], id: RequestId): void {
  transport.closeSSEStream(id);
  // Nobody reads this answer, because the client does not expect one, and its stream has just ended.
  const error = { code: ProtocolErrorCode.InternalError, message: 'The call was cancelled.' };
  transport.send({ jsonrpc: '2.0', id, error }).catch(() => undefined);
}

/**
 * Makes room for a session. If the owner has too many, ends the one that has been idle for the longest time.
 * @returns whether there is room
 */
function makeRoom(owner: string, shared: Shared): boolean {
  const all = [...shared.accounts.values()];
  const own = all.filter((account) => account.owner === owner).flatMap(sessionsOf);
  const count = all.reduce((sum, { sessions }) => sum + sessions.size, 0);
  if (own.length < most.sessionsOfOne && count < most.sessions) return true;
  const [oldest] = own.filter(isIdle).toSorted((a, b) => a.session.usedAtMs - b.session.usedAtMs);
  if (oldest) endSession(oldest, shared);
  return oldest !== undefined;
}

type Place = { readonly account: Account; readonly id: string; readonly session: Session };

function sessionsOf(account: Account): Place[] {
  return [...account.sessions].map(([id, session]) => ({ account, id, session }));
}

function isIdle({ session: { uses, calls } }: Place): boolean {
  return uses === 0 && calls === 0;
}

function endSession({ account, id, session }: Place, shared: Shared): void {
  account.sessions.delete(id);
  shared.keep(session.transport.close());
  endIfUnused(account, shared);
}

function endIdle(shared: Shared): void {
  const idleSinceMs = shared.nowMs() - shared.idleMs;
  for (const place of [...shared.accounts.values()].flatMap(sessionsOf))
    if (isIdle(place) && place.session.usedAtMs < idleSinceMs) endSession(place, shared);
}

/** Returns the account of this caller, with the caller's present credential. */
function accountFor(principal: Principal, shared: Shared): Account {
  const agent = toAgent(principal);
  const { kind, name, tokenId } = accountOf(principal);
  const owner = JSON.stringify([kind, tokenId ?? name]);
  const key = JSON.stringify([owner, agent.scopes, agent.tenant]);
  const known = shared.accounts.get(key);
  if (known) {
    known.delegated.renew(agent);
    return known;
  }
  const mark = createSha256().update(key).digest('base64url').slice(0, 22);
  const account = createAccount({ owner, mark }, agent, shared);
  shared.accounts.set(key, account);
  return account;
}

function createAccount(who: Pick<Account, 'owner' | 'mark'>, agent: Principal, shared: Shared): Account {
  const { settings, version, ensureStarted, url } = shared;
  const delegated = shared.delegate(agent);
  const client = createClient({ baseUrl: url, client: 'mcp', token: delegated.credential, fetch: httpFetch });
  const rights: Rights = {
    maySee: (source) => settings.isUntrustedAllowed || !shared.untrustedSources.includes(source),
    holds: (scope) => holdsScope(agent, scope),
  };
  const instance = { client, settings, version, ensureStarted, rights };
  const shown: Shown = {};
  const account: Account = {
    ...who,
    delegated,
    instance,
    sessions: new Map(),
    resuming: new Map(),
    // In the protocol of 2026, a client cancels a call by closing its answer.
    modern: createMcpHandler(
      () =>
        createMcpServer(instance, {
          shown,
          isLossCancel: () => !account.isEnding,
          keep: (work) => keepFor(account, shared, work),
          enter: () => enter(account, shared),
        }),
      { legacy: 'reject' },
    ),
    shown,
    listening: 0,
    uses: 0,
    isEnding: false,
  };
  return account;
}

/**
 * Counts a use of the account.
 * @returns a function that counts this use as ended. After the last use, it also releases the account, unless the
 * account still has a session.
 */
function enter(account: Account, shared: Shared): () => void {
  account.uses += 1;
  return () => {
    account.uses -= 1;
    endIfUnused(account, shared);
  };
}

/** Keeps the account until the work is done, because the work needs its credential. */
function keepFor(account: Account, shared: Shared, work: Promise<unknown>): void {
  const leave = enter(account, shared);
  shared.keep(work.finally(leave));
}

function endIfUnused(account: Account, shared: Shared): void {
  if (account.uses > 0 || account.sessions.size > 0 || account.isEnding) return;
  forget(account, shared);
  shared.keep(account.modern.close());
  account.delegated.end();
}

/** Ends the account's sessions and requests. Its runs continue. */
function endAccount(account: Account, shared: Shared): void {
  account.isEnding = true;
  for (const { transport } of account.sessions.values()) shared.keep(transport.close());
  account.sessions.clear();
  shared.keep(account.modern.close());
}

function forget(account: Account, { accounts }: Shared): void {
  for (const [key, one] of accounts) if (one === account) accounts.delete(key);
}

/**
 * Notifies the clients of an account that have an outdated list of tools. The tools are listed once for all of them.
 * @returns whether this has succeeded
 */
async function notifyClients(account: Account, shared: Shared): Promise<boolean> {
  if (reachableSessions(account).next().done && account.listening === 0) return true;
  try {
    const print = await notifyOutdated(account.instance, reachableSessions(account));
    if (account.shown.print !== print) account.modern.notify.toolsChanged();
    account.shown.print = print;
  } catch (error) {
    if (!(error instanceof ApiProblem && error.status === 401)) return false;
    // The credential of the account is no longer valid.
    forget(account, shared);
    endAccount(account, shared);
    account.delegated.end();
  }
  return true;
}

/** Yields the sessions that can be notified now. A session without a stream is notified when it opens one. */
function* reachableSessions({ sessions }: Account): Generator<Session, void> {
  for (const session of sessions.values()) {
    if (session.shown.print === undefined) continue;
    if (session.listening > 0) yield session;
    else session.shown.print = unknownPrint;
  }
}

/** Makes the caller an agent, because it came through MCP. Without a token, it gets the same scopes as `flwd mcp`. */
function toAgent(principal: Principal): Principal {
  if (principal.kind === 'mcp') return principal;
  return asAgent(principal, principal.kind === 'local' ? usualAgentScopes : agentScopes);
}

const idTooLong = `The id of a message may have at most ${most.charsOfId} characters.`;
const tooManyCalls = `This session already has ${most.callsOfSession} running calls, the most allowed at once: wait for one to end.`;

function tooManySessions(): Problem {
  return new Problem(
    'rate-limited',
    `This caller may have ${most.sessionsOfOne} sessions, and all callers together ${most.sessions}. No session of this caller is idle: end one, or try again later.`,
    { retry_after: retryAfterSeconds },
  );
}

function refusal(status: number, code: number, message: string, id: RequestId | null = null): Response {
  return Response.json({ jsonrpc: '2.0', id, error: { code, message } }, { status });
}

function isIdTooLong(body: unknown): boolean {
  return isObject(body) && typeof body.id === 'string' && body.id.length > most.charsOfId;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
