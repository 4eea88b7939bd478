// Who may come without a credential: in the mode `auto` the server's own user on loopback, by the kernel's socket
// table; in `none` everyone; in `required` nobody (ADR 0015).

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

/** Of a server whose jobs run as its own user: who may be a run's process (ADR 0032). */
export type RunCallers = {
  /** Whether a run may have opened a connection that is accepted now. */
  readonly canCall: () => boolean;
  /** @throws the system's error where there is no telling at present, for want of descriptors or memory */
  readonly ownerOf: (inode: string) => Promise<'outside' | 'run' | 'unknown'>;
};

export type LocalCallers = {
  /** At once where the connection is known already; a Problem says why it is nobody. */
  readonly identify: (request: IncomingMessage) => Principal | Problem | Promise<Principal | Problem>;
  /** Notes of each connection, when it is accepted, whether a run may have opened it. Any other may be a run's. */
  readonly watch: (server: Server) => void;
};

/** @param runs null: no run's process can be taken for the server's own user, or the operator has it so */
export function createLocalCallers(o: {
  readonly mode: AuthMode;
  readonly proxies: Pick<Proxies, 'isTrusted'>;
  readonly runs: RunCallers | null;
}): LocalCallers {
  const { proxies, runs } = o;
  if (o.mode === 'none') return { identify: () => localPrincipal, watch: () => undefined };
  if (o.mode === 'required') return { identify: () => nobody('token'), watch: () => undefined };
  const known = new WeakMap<Socket, Principal | Lack>();
  /** Connections that no run can have opened. One that reuses a port may be accepted before the earlier one closes. */
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
      return new Problem('overloaded', noTelling, { retry_after: 1 });
    }
  }

  return {
    identify(request) {
      const { headers, socket } = request;
      // Also one that says nothing of whom it passes on.
      if (proxies.isTrusted(socket.remoteAddress)) return nobody('token');
      // Some write `_` for `-`, as CGI does.
      for (const name in headers) if (proxyHeader.test(name.replaceAll('_', '-'))) return nobody('token');
      // A notification goes where a job's author has it sent, and may be any flwd's of this user.
      if (headers['user-agent']?.startsWith('flwd/')) return nobody('token');
      // The browser that a page runs in may be this user's.
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
  'The request needs a token (`Authorization: Bearer …`); `flwd tokens create --name NAME --scopes A,B` makes one.';

/** What nobody is told to bring, and why. */
const needs = {
  token,
  run: `${token} It comes from a job, which is never taken for the server’s user; a secret can hand it the token.`,
  unknown: `${token} While a job has the network, only a process that the server finds in /proc needs no token.`,
};

const noTelling =
  'The server has no descriptors or memory left to look who is calling: send a token, or try again. ' +
  'A higher limit (`ulimit -n`, LimitNOFILE of systemd) helps.';

type Lack = keyof typeof needs;

function nobody(why: Lack): Problem {
  return new Problem('unauthenticated', needs[why]);
}

function toCaller(owner: Principal | Lack | undefined): Principal | Problem {
  return typeof owner === 'object' ? owner : nobody(owner ?? 'token');
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

function ofLoopback({ remoteAddress, remotePort, localAddress, localPort }: Socket): Connection | undefined {
  if (!remoteAddress || !remotePort || !localAddress || !localPort) return undefined;
  if (!isLoopback(remoteAddress) || !isLoopback(localAddress)) return undefined;
  return { remoteAddress, remotePort, localAddress, localPort };
}
