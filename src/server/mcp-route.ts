// `/mcp`: MCP over HTTP. The server admits the request like any other. Then src/mcp answers it, and calls the API as
// the caller (ADR 0064). The code of src/mcp is loaded with the first request.

import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { Admission } from './admission/admission.ts';
import type { DelegatedCredentials } from './admission/delegated-credentials.ts';
import type { createBodyRoom } from './limits/body-room.ts';
import { boundConnections, connectionLimit } from './limits/connections.ts';
import type { Load } from './limits/pressure.ts';
import { assertRoom } from './limits/shedding.ts';
import { type Identity, metadataUrl } from './resource-metadata.ts';
import { eventStream, type Streams } from './streams/streams.ts';

type Mcp = {
  /** @param o.send resolves when the answer has been sent or its reader has gone */
  readonly answer: (
    request: Request,
    body: unknown,
    o: { readonly principal: Principal; readonly send: (answer: Response) => Promise<void> },
  ) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** @param api the address at which the API accepts delegated credentials, and the function that creates one */
export type OpenMcp = (api: {
  readonly url: string;
  readonly delegate: DelegatedCredentials['delegate'];
}) => Promise<Mcp>;

export const mcpPath = '/mcp';
/**
 * How many connections MCP may have to the API, as a share of all connections. Both ends of these connections are in
 * this process, so each connection takes two of its descriptors.
 */
const shareOfConnections = 1 / 8;

/** @returns a function that ends all sessions, but not the runs that they started */
export function addMcpRoute(
  app: FastifyInstance,
  o: {
    readonly openMcp: OpenMcp;
    readonly delegated: DelegatedCredentials;
    readonly admission: Pick<Admission, 'admit'>;
    readonly load: Load;
    readonly takeBodyRoom: ReturnType<typeof createBodyRoom>;
    readonly streams: Pick<Streams, 'enter' | 'send'>;
    readonly stallMs: number;
    /** The identity provider that gives clients their tokens; null: flwd.yaml names no provider. */
    readonly identity: Identity | null;
  },
): () => Promise<void> {
  const { streams, identity } = o;
  const admit = o.admission.admit({ scope: 'jobs:read' });
  const opening = createOpening(() => open(app, o));

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    // The answer is counted before the work begins. A call whose answer has no room must not start a run.
    const leave = streams.enter(request.principal);
    try {
      const mcp = await opening.opened();
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const { method, headers, principal, body } = request;
      const asked = new Request(`http://localhost${mcpPath}`, {
        method,
        headers: textsOf(headers),
        signal: gone.signal,
      });
      await mcp.answer(asked, body, { principal, send: (answered) => send(answered, request, reply) });
    } finally {
      leave();
    }
    return reply;
  }

  async function send(answered: Response, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { status, headers, body } = answered;
    if (!body || headers.get('content-type') !== eventStream) {
      void reply
        .code(status)
        .headers(Object.fromEntries(headers))
        .send(await answered.text());
      return;
    }
    const session = headers.get('mcp-session-id');
    if (session !== null) reply.raw.setHeader('mcp-session-id', session);
    await new Promise<void>((resolve) => {
      streams.send(
        request,
        reply,
        eventStream,
        async ({ signal, write }) => {
          const reader = body.getReader();
          const stop = (): void => void reader.cancel().catch(() => undefined);
          if (signal.aborted) stop();
          signal.addEventListener('abort', stop, { once: true });
          for (let read = await reader.read(); !read.done; read = await reader.read())
            await write(Buffer.from(read.value));
        },
        resolve,
      );
    });
  }

  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: mcpPath,
    onRequest: async (request, reply) => {
      await admit(request, reply);
      assertRoom(o.load);
      o.takeBodyRoom(request, reply);
    },
    config: { operation: mcpPath, metadataUrl: (request) => identity && metadataUrl(mcpPath, request, identity) },
    handler: answer,
  });
  return () => opening.close();
}

/** Opens MCP when it is first used. If opening MCP fails, the next use tries again. */
function createOpening(open: () => Promise<Mcp>) {
  let opening: Promise<Mcp> | undefined;
  let isClosed = false;
  return {
    /** @throws Problem not-ready when the server stops */
    async opened(): Promise<Mcp> {
      if (isClosed) throw new Problem('not-ready', 'The server is stopping.');
      opening ??= open();
      const mine = opening;
      try {
        return await mine;
      } catch (error) {
        if (opening === mine) opening = undefined;
        throw error;
      }
    },
    async close(): Promise<void> {
      isClosed = true;
      const opened = await opening?.catch(() => undefined);
      await opened?.close();
    },
  };
}

async function open(
  app: FastifyInstance,
  o: { readonly openMcp: OpenMcp; readonly delegated: DelegatedCredentials; readonly stallMs: number },
): Promise<Mcp> {
  const api = await openApi(app, o);
  try {
    const { answer, close } = await o.openMcp({ url: api.url, delegate: o.delegated.delegate });
    return { answer, close: () => close().finally(() => api.close()) };
  } catch (error) {
    api.close();
    throw error;
  }
}

function textsOf(headers: IncomingMessage['headers']): Record<string, string> {
  const texts = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return Object.fromEntries(texts);
}

/** Serves the API on an unpublished loopback address, and only for delegated credentials. */
async function openApi(
  app: FastifyInstance,
  { delegated, stallMs }: { readonly delegated: DelegatedCredentials; readonly stallMs: number },
) {
  // An `import` would load Node's `fetch` as well, before anybody needs it.
  const server = process.getBuiltinModule('node:http').createServer((request, response) => {
    const [, credential = ''] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (delegated.find(credential)) app.routing(request, response);
    else request.socket.destroy();
  });
  boundConnections(server, { limit: Math.ceil(connectionLimit() * shareOfConnections), stallMs });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on an address, not on a path
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close(): void {
      server.close();
      server.closeAllConnections();
    },
  };
}
