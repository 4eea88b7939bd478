// Who may come without a credential: in the mode `auto` the server's own user on loopback, by the kernel's socket table;
// in `none` everyone; in `required` nobody (ADR 0015).

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { anonymous, localPrincipal, type Principal } from '../domain/principal.ts';
import { isLoopback } from '../lib/loopback.ts';
import { isFromForeignPage, isLocalHost } from './local-names.ts';
import { uidOfPeer } from './peer.ts';
import type { Proxies } from './proxies.ts';

export type AuthMode = 'auto' | 'none' | 'required';

/** At once where the connection is known already. */
export type LocalCallers = (request: IncomingMessage) => Principal | Promise<Principal>;

export function createLocalCallers(mode: AuthMode, proxies: Pick<Proxies, 'isTrusted'>): LocalCallers {
  if (mode === 'none') return () => localPrincipal;
  if (mode === 'required') return () => anonymous;
  const principals = new WeakMap<Socket, Principal>();

  async function identify(socket: Socket): Promise<Principal> {
    const uid = await uidOf(socket);
    const principal = uid !== undefined && uid === process.geteuid?.() ? localPrincipal : anonymous;
    if (uid !== undefined) principals.set(socket, principal);
    return principal;
  }

  return (request) => {
    const { headers, socket } = request;
    // Also one that says nothing of whom it passes on.
    if (proxies.isTrusted(socket.remoteAddress)) return anonymous;
    // Some write `_` for `-`, as CGI does.
    for (const name in headers) if (proxyHeader.test(name.replaceAll('_', '-'))) return anonymous;
    // The browser that a page runs in may be this user's.
    if (!isLocalHost(headers.host ?? '') || isFromForeignPage(request)) return anonymous;
    return principals.get(socket) ?? identify(socket);
  };
}

/** By which a proxy says that it passes on somebody else (RFC 7239, RFC 9110, and what was there before them). */
const proxyHeader = new RegExp(
  `^(?:${[
    'forwarded',
    'via',
    'x-forwarded(?:-.*)?',
    'x-original-(?:forwarded-for|host)',
    '(?:x-)?(?:real|client|true-client|cluster-client|proxyuser)-ip',
    '(?:fly|fastly)-client-ip',
    'cf-connecting-ip(?:v6)?',
    'x-envoy-external-address',
    'x-azure-(?:client|socket)ip',
  ].join('|')})$`,
);

async function uidOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): Promise<number | undefined> {
  if (!remoteAddress || !remotePort || !localAddress || !localPort) return undefined;
  if (!isLoopback(remoteAddress) || !isLoopback(localAddress)) return undefined;
  return uidOfPeer({ remoteAddress, remotePort, localAddress, localPort });
}
