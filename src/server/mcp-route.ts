// `/mcp`: MCP over HTTP. The server admits the request like any other; src/mcp answers it, and calls the API as the
// caller (ADR 0064). That code is loaded with the first request.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../domain/principal.ts';
import { hashSecret } from '../lib/secret-hash.ts';
import type { Admission } from './admission/admission.ts';
import type { LentCredentials } from './admission/lent-credentials.ts';
import type { createBodyRoom } from './limits/body-room.ts';
import type { Load } from './limits/pressure.ts';
import { assertRoom } from './limits/shedding.ts';

type McpCaller = {
  readonly principal: Principal;
  /** The same for all requests with one credential and the same rights, and for no others. */
  readonly key: string;
};

type Mcp = {
  readonly answer: (request: Request, body: unknown, caller: McpCaller) => Promise<Response>;
  readonly close: () => Promise<void>;
};

/** @param api the address of the API for lent credentials */
export type OpenMcp = (api: { readonly url: string; readonly lend: LentCredentials['lend'] }) => Promise<Mcp>;

const mcpPath = '/mcp';

/** @returns a function that ends all sessions, and leaves their runs */
export function addMcpRoute(
  app: FastifyInstance,
  o: {
    readonly openMcp: OpenMcp;
    readonly lent: LentCredentials;
    readonly admission: Pick<Admission, 'admit'>;
    readonly load: Load;
    readonly takeBodyRoom: ReturnType<typeof createBodyRoom>;
  },
): () => Promise<void> {
  const admit = o.admission.admit({ scope: 'jobs:read' });
  let opening: Promise<{ readonly mcp: Mcp; readonly close: () => Promise<void> }> | undefined;

  async function open() {
    const api = await openApi(app, o.lent);
    const mcp = await o.openMcp({ url: api.url, lend: o.lent.lend });
    return {
      mcp,
      async close() {
        await mcp.close();
        api.close();
      },
    };
  }

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    opening ??= open();
    const { mcp } = await opening;
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const { method, headers } = request;
    const asked = new Request(`http://localhost${mcpPath}`, { method, headers: textsOf(headers), signal: gone.signal });
    const { principal, body } = request;
    const answered = await mcp.answer(asked, body, { principal, key: keyOf(request) });
    void reply.code(answered.status).headers(Object.fromEntries(answered.headers));
    return reply.send(answered.body ? Readable.fromWeb(answered.body) : '');
  }

  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: mcpPath,
    onRequest: async (request, reply) => {
      await admit(request, reply);
      assertRoom(o.load);
      o.takeBodyRoom(request, reply);
    },
    config: { operation: mcpPath },
    handler: answer,
  });
  return async () => (await opening)?.close();
}

/** A session belongs to the credential that began it, and to what this caller may do. */
function keyOf({ principal: { name, scopes, tenant }, raw }: FastifyRequest): string {
  return hashSecret(JSON.stringify([raw.headers.authorization, name, scopes, tenant]));
}

function textsOf(headers: IncomingMessage['headers']): Record<string, string> {
  const texts = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return Object.fromEntries(texts);
}

/** The API for lent credentials alone, at an address of loopback that nobody is told. */
async function openApi(app: FastifyInstance, lent: LentCredentials) {
  const server = createServer((request, response) => {
    const [, credential = ''] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (lent.find(credential)) app.routing(request, response);
    else request.socket.destroy();
  });
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
