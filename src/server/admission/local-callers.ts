// Decides who needs no credential. With `auth.mode: auto` it is the server's own user on loopback, found in the
// kernel's socket table; with `none` it is everyone; with `required` it is nobody (ADR 0015).

import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { localPrincipal, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { isLoopback } from '../../lib/loopback.ts';
import { isShortage } from '../../lib/shortage.ts';
import { endsOf } from '../limits/connections.ts';
import { isFromForeignPage, isLocalHost } from './local-names.ts';
import { type Connection, findPeer } from './peer.ts';
import type { Proxies } from './proxies.ts';

export type AuthMode = 'auto' | 'none' | 'required';

/** Tells processes of runs apart from the server's own user, if jobs run as that user (ADR 0032). */
export type RunCallers = {
  /** Whether a run could have opened a connection that is being accepted at this moment. */
  readonly canCall: () => boolean;
  /** @throws the system's error if descriptors or memory are used up */
  readonly ownerOf: (inode: string) => Promise<'outside' | 'run' | 'unknown'>;
};

export type LocalCallers = {
  /** For a known connection, the result is not a promise. A Problem says why the caller needs a credential. */
  readonly identify: (request: IncomingMessage) => Principal | Problem | Promise<Principal | Problem>;
  /** Stores for each connection, when it is accepted, whether a run could have opened it. */
  readonly watch: (server: Server) => void;
};

/** @param runs null if no process of a run can pass for the server's own user, or if the operator accepts that */
export function createLocalCallers(o: {
  readonly mode: AuthMode;
  readonly proxies: Pick<Proxies, 'isTrusted'>;
  readonly runs: RunCallers | null;
}): LocalCallers {
  const { proxies, runs } = o;
  if (o.mode === 'none') return { identify: () => localPrincipal, watch: () => undefined };
  if (o.mode === 'required') return { identify: () => nobody('token'), watch: () => undefined };
  const known = new WeakMap<Socket, Principal | Lack>();
  /**
   * The connections that no run can have opened. The socket is stored too, because another connection may use the same
   * port before the `close` event arrives.
   */
  const cleared = new Map<string, Socket>();

  async function ownerOf(socket: Socket): Promise<Principal | Lack | undefined> {
    const connection = ofLoopback(socket);
    const peer = connection && (await findPeer(connection));
    if (!peer) return undefined;
    if (peer.uid !== process.geteuid?.()) return 'token';
    if (!runs || cleared.has(endsOf(socket))) return localPrincipal;
    const owner = await runs.ownerOf(peer.inode);
    return owner === 'outside' ? localPrincipal : owner;
  }

  async function identify(socket: Socket): Promise<Principal | Problem> {
    try {
      const owner = await ownerOf(socket);
      if (owner !== undefined) known.set(socket, owner);
      return toCaller(owner);
    } catch (error) {
      if (!isShortage(error)) throw error;
      return new Problem('overloaded', cannotLook, { retry_after: 1 });
    }
  }

  return {
    identify(request) {
      const { headers, socket } = request;
      // A trusted proxy forwards requests of others, even if it does not say so.
      if (proxies.isTrusted(socket.remoteAddress)) return nobody('token');
      // Some proxies write `_` instead of `-`, as CGI does.
      for (const name in headers) if (proxyHeader.test(name.replaceAll('_', '-'))) return nobody('token');
      // The request may be a notification from another flwd of this user, and the authors of jobs choose where
      // notifications go.
      if (headers['user-agent']?.startsWith('flwd/')) return nobody('token');
      // A page of another site may run in this user's browser.
      if (!isLocalHost(headers.host ?? '') || isFromForeignPage(request)) return nobody('token');
      const owner = known.get(socket);
      return owner === undefined ? identify(socket) : toCaller(owner);
    },
    watch(server) {
      if (!runs) return;
      server.on('connection', (socket: Socket) => {
        const ends = endsOf(socket);
        if (runs.canCall()) {
          cleared.delete(ends);
          return;
        }
        cleared.set(ends, socket);
        socket.once('close', () => cleared.get(ends) === socket && cleared.delete(ends));
      });
    },
  };
}

const token =
  'The request needs a token (`Authorization: Bearer …`). To create one: `flwd tokens create --name NAME --scopes A,B`.';

/** The answers to a caller who is not admitted. */
const needs = {
  token,
  run: `${token} The request comes from a job, which never counts as the server’s user; give the job a token as a secret.`,
  unknown: `${token} While a job has network access, only processes that the server can find in /proc need no token.`,
};

const cannotLook =
  'The server has no file descriptors or memory left to find out who is calling. Send a token, or try again. The ' +
  'operator can raise the limit: `ulimit -n`, or LimitNOFILE in systemd.';

type Lack = keyof typeof needs;

function nobody(why: Lack): Problem {
  return new Problem('unauthenticated', needs[why]);
}

function toCaller(owner: Principal | Lack | undefined): Principal | Problem {
  return typeof owner === 'object' ? owner : nobody(owner ?? 'token');
}

/** The headers by which a proxy says that it forwards for somebody else: RFC 7239, RFC 9110 and older ones. */
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

function ofLoopback({ remoteAddress, remotePort, localAddress, localPort }: Socket): Connection | undefined {
  if (!remoteAddress || !remotePort || !localAddress || !localPort) return undefined;
  if (!isLoopback(remoteAddress) || !isLoopback(localAddress)) return undefined;
  return { remoteAddress, remotePort, localAddress, localPort };
}
