// Decides which requests are admitted. It finds each caller, and checks whether the caller has the scope that the
// operation needs (ADR 0015). It also sets the headers that every answer has.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  anonymous,
  asAgent,
  assertReachesAllJobs,
  holdsScope,
  type Principal,
  type Scope,
  scopes,
} from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { setSafetyHeaders } from '../answers/response-headers.ts';
import type { Authentication } from './authentication.ts';
import type { Cors } from './cors.ts';
import type { LocalCallers } from './local-callers.ts';
import { isFromAnotherSite, isLocalHost } from './local-names.ts';
import type { Proxies } from './proxies.ts';
import { ambiguity } from './request-line.ts';

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** What an operation requires of its caller. */
type Demand = { readonly scope: Scope | 'public'; readonly isInstanceWide?: true };

export type Admission = {
  /** @returns a hook that admits the callers who meet the demand, and throws a Problem for all others */
  readonly admit: (demand: Demand) => Hook;
  /**
   * Admits requests for pages outside the API. Everyone who can connect may read these pages, without a principal and
   * without a rate limit.
   */
  readonly admitAnyone: Hook;
  /**
   * Admits requests to hooks. They ignore credentials, so the caller is unknown until the signature is checked. Any
   * `Host` is accepted, but a web page of another site may not call (ADR 0066).
   */
  readonly admitDelivery: Hook;
  /** Admits the CORS preflight of a page of a listed origin. A preflight never carries a credential. */
  readonly admitPreflight: (request: FastifyRequest, reply: FastifyReply) => void;
};

export function createAdmission(o: {
  readonly authentication: Pick<Authentication, 'authenticate'>;
  readonly localCallers: Pick<LocalCallers, 'identify'>;
  /** Whether a request without a credential must name a local `Host`. This stops pages that use DNS rebinding. */
  readonly needsLocalName: (peer: Socket) => boolean;
  readonly cors: Cors;
  readonly proxies: Pick<Proxies, 'cleanForwardedFor'>;
  /** @throws Problem rate-limited */
  readonly limit: (request: FastifyRequest, reply: FastifyReply) => void;
  readonly isStopping: () => boolean;
}): Admission {
  /** Returns the problem of a request whose `Host` or `Origin` is not allowed. */
  function foreignName(request: FastifyRequest): Problem | undefined {
    const { headers, socket } = request.raw;
    const { host } = headers;
    if (host === undefined) return new Problem('malformed-request', 'The header `Host` is missing.');
    if (headers.authorization === undefined && !isLocalHost(host) && o.needsLocalName(socket)) {
      return new Problem('permission-denied', foreignHost);
    }
    return foreignPage(request, o.cors);
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
    o.proxies.cleanForwardedFor(request.raw);
    reply.raw.setHeader('X-Request-Id', request.id);
    setSafetyHeaders(request.raw, reply.raw);
    o.cors.setHeaders(request.raw, reply.raw);
  }

  return {
    admit: (demand) => async (request, reply) => {
      const { headers } = request.raw;
      begin(request, reply);
      // This is checked before the caller is known, because a foreign page must not use up the rate limit of the user
      // whose browser shows it.
      const refusal = ambiguity(request.raw) ?? foreignName(request);
      const hasNoCredential = !refusal && headers.authorization === undefined;
      let found: Principal | Problem | Promise<Principal | Problem> =
        refusal ?? (hasNoCredential ? o.localCallers.identify(request.raw) : authenticate(request));
      if (found instanceof Promise) found = await found;
      if (!(found instanceof Problem)) found = narrowed(found, request.raw);
      request.principal = found instanceof Problem ? anonymous : found;
      o.limit(request, reply);
      const isOpen = hasNoCredential && demand.scope === 'public';
      if (found instanceof Problem && !isOpen) throw found;
      if (o.isStopping()) throw new Problem('not-ready', 'The server is stopping.');
      if (demand.scope !== 'public') assertHolds(request.principal, demand.scope, demand.isInstanceWide ?? false);
    },

    admitAnyone: async (request, reply) => {
      request.principal = anonymous;
      begin(request, reply);
      const refusal = ambiguity(request.raw) ?? foreignName(request);
      if (refusal) throw refusal;
    },

    admitDelivery: async (request, reply) => {
      request.principal = anonymous;
      begin(request, reply);
      const refusal = ambiguity(request.raw) ?? foreignPage(request, o.cors);
      if (refusal) throw refusal;
      o.limit(request, reply);
      if (o.isStopping()) throw new Problem('not-ready', 'The server is stopping.');
    },

    admitPreflight(request, reply) {
      request.principal = anonymous;
      begin(request, reply);
    },
  };
}

/** Returns the problem of a request that a page of another site sends. */
function foreignPage(request: FastifyRequest, cors: Cors): Problem | undefined {
  const { origin } = request.raw.headers;
  if (origin === undefined)
    return isCrossSiteChange(request.raw) ? new Problem('permission-denied', noOrigin) : undefined;
  if (cors.isListed(origin) || origin === `${request.protocol}://${request.host}`) return undefined;
  return new Problem('permission-denied', foreignOrigin);
}

const foreignHost =
  'The header `Host` is not a name of this machine. Call the server as localhost, send a token, or name the proxy in ' +
  'server.trust_proxy.';
const foreignOrigin =
  'The header `Origin` names a page of another server. Add it to server.cors_origins if it may call with a token.';
const noOrigin = 'A page of another site sent this request (`Sec-Fetch-Site`), and no `Origin` header says which.';

/**
 * Whether a page of another site sends a request that changes something. Such a page may read, and counts as an unknown
 * caller (local-callers.ts), because a link on another page may open the console.
 */
function isCrossSiteChange({ method = '', headers }: IncomingMessage): boolean {
  return isFromAnotherSite(headers) && !['GET', 'HEAD', 'OPTIONS'].includes(method);
}

/**
 * With `X-Flwd-Agent`, the caller acts as an agent, whose scopes are at most the ones that the header lists (ADR 0064).
 * The header can only take rights away, so anyone may send it.
 */
function narrowed(caller: Principal, { headersDistinct }: IncomingMessage): Principal | Problem {
  const [listed, ...others] = headersDistinct['x-flwd-agent'] ?? [];
  if (listed === undefined) return caller;
  const words = listed.split(/[\s,]+/).filter((word) => word !== '');
  const wanted = scopes.filter((scope) => words.includes(scope));
  if (others.length > 0 || wanted.length < new Set(words).size)
    return new Problem('malformed-request', 'The header `X-Flwd-Agent` must list scopes, separated by spaces, once.');
  return asAgent(caller, wanted);
}

/** @throws Problem permission-denied */
function assertHolds(principal: Principal, scope: Scope, isInstanceWide: boolean): void {
  if (!holdsScope(principal, scope)) {
    throw new Problem('permission-denied', `The caller lacks the scope '${scope}'.`);
  }
  if (isInstanceWide) assertReachesAllJobs(principal);
  if (isInstanceWide && principal.tenant !== '*') {
    throw new Problem(
      'permission-denied',
      `This request concerns every tenant, but the caller belongs only to the tenant '${principal.tenant}': use a ` +
        "token made with `flwd tokens create --tenant '*'`.",
    );
  }
}
