// MCP over HTTP: sessions for clients of 2025, each bound to the credential that began it, and single requests for
// clients of 2026.

import {
  createMcpHandler,
  isLegacyRequest,
  type McpHttpHandler,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { createClient } from '../client/client.ts';
import { agentScopes, asAgent, type Principal, usualAgentScopes } from '../domain/principal.ts';
import type { Instance } from './instance.ts';
import { createMcpServer, type McpServer } from './server.ts';
import { createUnfinished, type Unfinished } from './unfinished.ts';

type Lent = {
  readonly credential: string;
  readonly renew: (principal: Principal) => void;
  readonly end: () => void;
};
type Caller = { readonly principal: Principal; readonly key: string };
type Session = {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly compareTools: McpServer['compareTools'];
  usedAtMs: number;
};
/** Everything of one credential. */
type Account = {
  readonly lent: Lent;
  readonly instance: Instance;
  readonly sessions: Map<string, Session>;
  /** Answers clients of 2026. */
  readonly modern: McpHttpHandler;
  usedAtMs: number;
  /** Requests that are being answered. */
  active: number;
  /** The server ends it, which is no wish of a client to cancel anything. */
  isEnding: boolean;
};

const mostAccounts = 200;
const mostSessionsOfOne = 20;
const idleMs = 30 * 60_000;
const lookMs = 10_000;

export type HttpMcpOptions = Pick<Instance, 'settings' | 'version' | 'attend'> & {
  /** The address of the API. */
  readonly url: string;
  readonly lend: (principal: Principal) => Lent;
  readonly nowMs: () => number;
};

/** What the functions below share. */
type Shared = Pick<HttpMcpOptions, 'nowMs'> & Pick<Unfinished, 'keep'>;

export function openHttpMcp(o: HttpMcpOptions) {
  const accounts = new Map<string, Account>();
  const { keep, finished } = createUnfinished();
  const shared = { nowMs: o.nowMs, keep };
  const looking = setInterval(() => endIdle(accounts, shared), lookMs).unref();

  function accountOf({ principal, key }: Caller): Account {
    const agent = toAgent(principal);
    const known = accounts.get(key);
    if (known) {
      known.lent.renew(agent);
      return known;
    }
    if (accounts.size >= mostAccounts) endOldest(accounts, (account) => endAccount(account, shared));
    const account = createAccount(o, agent, shared);
    accounts.set(key, account);
    return account;
  }

  return {
    async answer(request: Request, parsedBody: unknown, caller: Caller): Promise<Response> {
      const account = accountOf(caller);
      account.active += 1;
      const end = (): void => {
        account.active -= 1;
        account.usedAtMs = o.nowMs();
      };
      try {
        const isLegacy = await isLegacyRequest(request, parsedBody);
        const transport = isLegacy ? await transportFor(request, account, shared) : undefined;
        const answered = transport
          ? transport.handleRequest(request, { parsedBody })
          : isLegacy
            ? Response.json(noSession, { status: 404 })
            : account.modern.fetch(request, { parsedBody });
        return untilRead(await answered, end);
      } catch (error) {
        end();
        throw error;
      }
    },
    async close() {
      clearInterval(looking);
      for (const account of accounts.values()) endAccount(account, shared);
      await finished();
    },
  };
}

function createAccount(o: HttpMcpOptions, agent: Principal, { keep, nowMs }: Shared): Account {
  const lent = o.lend(agent);
  const client = createClient({ baseUrl: o.url, client: 'mcp', token: lent.credential });
  const instance = { client, settings: o.settings, version: o.version, attend: o.attend };
  const account: Account = {
    lent,
    instance,
    sessions: new Map(),
    // In this generation the client cancels by closing the answer.
    modern: createMcpHandler(
      () => createMcpServer(instance, { keep, isLossCancel: () => !account.isEnding, hearsOfChanges: false }).server,
      { legacy: 'reject' },
    ),
    usedAtMs: nowMs(),
    active: 0,
    isEnding: false,
  };
  return account;
}

function endAccount(account: Account, { keep }: Shared): void {
  account.isEnding = true;
  for (const { transport } of account.sessions.values()) keep(transport.close());
  keep(account.modern.close());
  account.sessions.clear();
  account.lent.end();
}

/** undefined: there is no such session, or it belongs to another credential. */
async function transportFor(request: Request, account: Account, shared: Shared) {
  const id = request.headers.get('mcp-session-id');
  if (id === null) return (await beginSession(account, shared)).transport;
  const session = account.sessions.get(id);
  if (session) session.usedAtMs = shared.nowMs();
  return session?.transport;
}

async function beginSession({ sessions, instance }: Account, { keep, nowMs }: Shared): Promise<Session> {
  if (sessions.size >= mostSessionsOfOne) endOldest(sessions, ({ transport }) => keep(transport.close()));
  const transport: WebStandardStreamableHTTPServerTransport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => crypto.randomUUID(),
    onsessioninitialized: (id) => void sessions.set(id, session),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  const { server, compareTools } = createMcpServer(instance, { keep, isLossCancel: () => false, hearsOfChanges: true });
  const session: Session = { transport, compareTools, usedAtMs: nowMs() };
  await server.connect(transport);
  return session;
}

/** Ends what has been idle for too long, and tells the sessions that remain if their list of tools has changed. */
function endIdle(accounts: Map<string, Account>, shared: Shared): void {
  const idleSinceMs = shared.nowMs() - idleMs;
  for (const [key, account] of accounts) {
    for (const [id, session] of account.sessions) {
      if (session.usedAtMs < idleSinceMs && account.active === 0) {
        account.sessions.delete(id);
        shared.keep(session.transport.close());
      } else session.compareTools().catch(() => undefined);
    }
    if (account.active > 0 || account.usedAtMs >= idleSinceMs) continue;
    accounts.delete(key);
    endAccount(account, shared);
  }
}

const noSession = {
  jsonrpc: '2.0',
  id: null,
  error: { code: -32_001, message: 'There is no such session: begin a new one.' },
};

/** A caller that came through MCP is an agent. Without a token it gets what `flwd mcp` gets. */
function toAgent(principal: Principal): Principal {
  if (principal.kind === 'mcp') return principal;
  return asAgent(principal, principal.kind === 'local' ? usualAgentScopes : agentScopes);
}

/** Ends what has not been used for longest. */
function endOldest<T extends { readonly usedAtMs: number }>(all: Map<string, T>, end: (one: T) => void): void {
  const [oldest] = [...all].toSorted(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
  if (!oldest) return;
  all.delete(oldest[0]);
  end(oldest[1]);
}

/** Calls `end` when the answer has been read, or nobody reads it any more. */
function untilRead(answer: Response, end: () => void): Response {
  if (!answer.body) {
    end();
    return answer;
  }
  const reader = answer.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        end();
        controller.close();
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  });
  return new Response(body, { status: answer.status, headers: answer.headers });
}
