// Who gets in. Auth mode `auto`: on loopback, the server's own user is the principal `local`; everyone else would need a
// token, and there are none yet. Also sets what every answer bears.

import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { anonymous, holdsScope, localPrincipal, type Principal, type Scope } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import { isLocalHost, isLocalOrigin } from './local-names.ts';
import { uidOfPeer } from './peer.ts';

export type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** @returns the hook that admits a request to what asks for the scope, or throws the Problem that keeps it out */
export function createAdmission(o: {
  /** @throws Problem rate-limited */
  readonly limit: Hook;
  readonly isStopping: () => boolean;
}): (scope: Scope | 'public') => Hook {
  const principals = new WeakMap<Socket, Principal>();

  async function identify(socket: Socket): Promise<Principal> {
    const uid = await uidOf(socket);
    const principal = uid !== undefined && uid === process.geteuid?.() ? localPrincipal : anonymous;
    if (uid !== undefined) principals.set(socket, principal);
    return principal;
  }

  return (scope) => async (request, reply) => {
    const { headers, socket } = request.raw;
    setCommonHeaders(request, reply);
    const foreign = foreignName(headers);
    // A page that is kept out must not use up the limit of the user whose browser it runs in.
    request.principal = foreign ? anonymous : (principals.get(socket) ?? (await identify(socket)));
    await o.limit(request, reply);
    if (foreign) throw foreign;
    if (o.isStopping()) throw new Problem('not-ready', 'The server is stopping.');
    if (scope === 'public') return;
    if (headers.authorization !== undefined) throw new Problem('unauthenticated', 'This server knows no tokens.');
    if (request.principal === anonymous) {
      throw new Problem('unauthenticated', 'Only processes of the user that runs this server may call it.');
    }
    if (!holdsScope(request.principal, scope)) {
      throw new Problem('permission-denied', `The caller lacks the scope '${scope}'.`);
    }
  };
}

/** For what anyone who can connect may read, outside the API: no principal, no limit. */
export const admitAnyone: Hook = async (request, reply) => {
  request.principal = anonymous;
  setCommonHeaders(request, reply);
  const foreign = foreignName(request.raw.headers);
  if (foreign) throw foreign;
};

function setCommonHeaders(request: FastifyRequest, { raw }: FastifyReply): void {
  raw.setHeader('X-Request-Id', request.id);
  raw.setHeader('X-Content-Type-Options', 'nosniff');
  raw.setHeader('Referrer-Policy', 'no-referrer');
  raw.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
}

function foreignName({ host, origin }: IncomingHttpHeaders): Problem | undefined {
  if (host === undefined) return new Problem('malformed-request', 'The header `Host` is missing.');
  if (!isLocalHost(host)) return new Problem('permission-denied', 'The header `Host` is no local name.');
  if (origin === undefined || isLocalOrigin(origin)) return undefined;
  return new Problem('permission-denied', 'The header `Origin` is no local origin.');
}

async function uidOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): Promise<number | undefined> {
  if (!remoteAddress || !remotePort || !localAddress || !localPort) return undefined;
  return uidOfPeer({ remoteAddress, remotePort, localAddress, localPort });
}
