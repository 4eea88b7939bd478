// Who gets in to what: each request's principal, and whether it holds what the operation asks for (ADR 0015). Also sets
// what every answer bears.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { anonymous, holdsScope, type Principal, type Scope } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { setSafetyHeaders } from '../answers/response-headers.ts';
import type { Authentication } from './authentication.ts';
import type { Cors } from './cors.ts';
import type { LocalCallers } from './local-callers.ts';
import { isFromAnotherSite, isLocalHost } from './local-names.ts';
import type { Proxies } from './proxies.ts';
import { ambiguity } from './request-line.ts';

export type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** What an operation asks for. */
type Demand = { readonly scope: Scope | 'public'; readonly isInstanceWide?: true };

export type Admission = {
  /** @returns the hook that admits a request to what asks for so much, or throws the Problem that keeps it out */
  readonly admit: (demand: Demand) => Hook;
  /** For what anyone who can connect may read, outside the API: no principal, no limit. */
  readonly admitAnyone: Hook;
  /** For what a browser asks before it sends what a listed page wants; without a credential, whatever the name. */
  readonly admitPreflight: (request: FastifyRequest, reply: FastifyReply) => void;
};

export function createAdmission(o: {
  readonly authentication: Pick<Authentication, 'authenticate'>;
  readonly localCallers: Pick<LocalCallers, 'identify'>;
  /** Where a page that has rebound its name could be taken for somebody. */
  readonly asksForLocalName: (peer: Socket) => boolean;
  readonly cors: Cors;
  readonly proxies: Pick<Proxies, 'tidy'>;
  /** @throws Problem rate-limited */
  readonly limit: (request: FastifyRequest, reply: FastifyReply) => void;
  readonly isStopping: () => boolean;
}): Admission {
  function foreignName(request: FastifyRequest): Problem | undefined {
    const { headers, socket } = request.raw;
    const { host, origin } = headers;
    if (host === undefined) return new Problem('malformed-request', 'The header `Host` is missing.');
    if (headers.authorization === undefined && !isLocalHost(host) && o.asksForLocalName(socket)) {
      return new Problem(
        'permission-denied',
        'The header `Host` is no local name: call it by localhost, send a token, or name the proxy in server.trust_proxy.',
      );
    }
    if (origin === undefined)
      return isPostedAcross(request.raw) ? new Problem('permission-denied', noOrigin) : undefined;
    if (o.cors.isListed(origin) || origin === `${request.protocol}://${request.host}`) return undefined;
    const detail =
      'The header `Origin` names another page than the server’s own: add it to server.cors_origins to let it call with a token.';
    return new Problem('permission-denied', detail);
  }

  async function authenticate({ ip, raw }: FastifyRequest): Promise<Principal | Problem> {
    try {
      return await o.authentication.authenticate(raw.headersDistinct.authorization ?? [], ip);
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  }

  function begin(request: FastifyRequest, reply: FastifyReply): void {
    o.proxies.tidy(request.raw);
    reply.raw.setHeader('X-Request-Id', request.id);
    setSafetyHeaders(request.raw, reply.raw);
    o.cors.setHeaders(request.raw, reply.raw);
  }

  return {
    admit: (demand) => async (request, reply) => {
      const { headers } = request.raw;
      begin(request, reply);
      // A page that is kept out must not use up the limit of the user whose browser it runs in.
      const refusal = ambiguity(request.raw) ?? foreignName(request);
      const isUnnamed = !refusal && headers.authorization === undefined;
      let found: Principal | Problem | Promise<Principal | Problem> =
        refusal ?? (isUnnamed ? o.localCallers.identify(request.raw) : authenticate(request));
      if (found instanceof Promise) found = await found;
      request.principal = found instanceof Problem ? anonymous : found;
      o.limit(request, reply);
      const isOpen = isUnnamed && demand.scope === 'public';
      if (found instanceof Problem && !isOpen) throw found;
      if (o.isStopping()) throw new Problem('not-ready', 'The server is stopping.');
      if (demand.scope !== 'public') assertHolds(request.principal, demand.scope, demand.isInstanceWide ?? false);
    },

    admitAnyone: async (request, reply) => {
      request.principal = anonymous;
      begin(request, reply);
      const foreign = ambiguity(request.raw) ?? foreignName(request);
      if (foreign) throw foreign;
    },

    admitPreflight(request, reply) {
      request.principal = anonymous;
      begin(request, reply);
    },
  };
}

const noOrigin = 'The header `Sec-Fetch-Site` says that another page sends this, and no `Origin` says which.';

/** What a foreign page reads without an `Origin` it reads as nobody (local-callers.ts): it may still open the console. */
function isPostedAcross({ method = '', headers }: IncomingMessage): boolean {
  return isFromAnotherSite(headers) && !['GET', 'HEAD', 'OPTIONS'].includes(method);
}

/** @throws Problem permission-denied */
function assertHolds(principal: Principal, scope: Scope, isInstanceWide: boolean): void {
  if (!holdsScope(principal, scope)) {
    throw new Problem('permission-denied', `The caller lacks the scope '${scope}'.`);
  }
  if (isInstanceWide && principal.tenant !== '*') {
    const detail = `This concerns every tenant, and the caller is of '${principal.tenant}' alone.`;
    throw new Problem('permission-denied', detail);
  }
}
