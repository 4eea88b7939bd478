// Who gets in to what: each request's principal, and whether it holds what the operation asks for (ADR 0015). Also sets
// what every answer bears.

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { anonymous, holdsScope, type Principal, type Scope } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { Authentication } from './authentication.ts';
import type { LocalCallers } from './local-callers.ts';
import { isLocalHost, isLocalOrigin } from './local-names.ts';
import { ambiguity } from './request-line.ts';

export type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** What an operation asks for. */
type Demand = { readonly scope: Scope | 'public'; readonly isInstanceWide?: true };

export type Admission = {
  /** @returns the hook that admits a request to what asks for so much, or throws the Problem that keeps it out */
  readonly admit: (demand: Demand) => Hook;
  /** For what anyone who can connect may read, outside the API: no principal, no limit. */
  readonly admitAnyone: Hook;
};

export function createAdmission(o: {
  readonly authentication: Pick<Authentication, 'authenticate'>;
  readonly localCallers: LocalCallers;
  /** Only then a page that has rebound its name can be in a browser that reaches the server. */
  readonly isOnLoopback: boolean;
  /** @throws Problem rate-limited */
  readonly limit: Hook;
  readonly isStopping: () => boolean;
}): Admission {
  function foreignName(headers: IncomingHttpHeaders): Problem | undefined {
    const { host, origin } = headers;
    if (host === undefined) return new Problem('malformed-request', 'The header `Host` is missing.');
    if (o.isOnLoopback && headers.authorization === undefined && !isLocalHost(host)) {
      return new Problem('permission-denied', 'The header `Host` is no local name.');
    }
    if (origin === undefined || isLocalOrigin(origin)) return undefined;
    return new Problem('permission-denied', 'The header `Origin` is no local origin.');
  }

  async function authenticate({ ip, raw }: FastifyRequest): Promise<Principal | Problem> {
    try {
      return await o.authentication.authenticate(raw.headersDistinct.authorization ?? [], ip);
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  }

  return {
    admit: (demand) => async (request, reply) => {
      const { headers } = request.raw;
      setCommonHeaders(request, reply);
      // A page that is kept out must not use up the limit of the user whose browser it runs in.
      let found: Principal | Problem | Promise<Principal | Problem> | undefined =
        ambiguity(request.raw) ?? foreignName(headers);
      found ??= headers.authorization === undefined ? o.localCallers(request.raw) : authenticate(request);
      if (found instanceof Promise) found = await found;
      const refusal = found instanceof Problem ? found : undefined;
      request.principal = found instanceof Problem ? anonymous : found;
      await o.limit(request, reply);
      if (refusal) throw refusal;
      if (o.isStopping()) throw new Problem('not-ready', 'The server is stopping.');
      if (demand.scope !== 'public') assertHolds(request.principal, demand.scope, demand.isInstanceWide ?? false);
    },

    admitAnyone: async (request, reply) => {
      request.principal = anonymous;
      setCommonHeaders(request, reply);
      const foreign = ambiguity(request.raw) ?? foreignName(request.raw.headers);
      if (foreign) throw foreign;
    },
  };
}

function setCommonHeaders(request: FastifyRequest, { raw }: FastifyReply): void {
  raw.setHeader('X-Request-Id', request.id);
  raw.setHeader('X-Content-Type-Options', 'nosniff');
  raw.setHeader('Referrer-Policy', 'no-referrer');
  raw.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
}

/** @throws Problem unauthenticated, permission-denied */
function assertHolds(principal: Principal, scope: Scope, isInstanceWide: boolean): void {
  if (principal === anonymous) {
    throw new Problem(
      'unauthenticated',
      'The request needs a token: it is not from a local process of the server’s own user.',
    );
  }
  if (!holdsScope(principal, scope)) {
    throw new Problem('permission-denied', `The caller lacks the scope '${scope}'.`);
  }
  if (isInstanceWide && principal.tenant !== '*') {
    const detail = `This concerns every tenant, and the caller is of '${principal.tenant}' alone.`;
    throw new Problem('permission-denied', detail);
  }
}
