// HTTPS to the server of this user's own data dir. The server's certificate must be the one that it announces on its
// private socket. Its name and issuer are not checked, because it was not issued for loopback addresses.

import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { Fetch } from '../../client/client.ts';
import { fetchOver } from '../../lib/http/http-fetch.ts';
import { formatDuration } from '../../lib/units.ts';

/** How long to wait for a connection to a busy server. */
const defaultConnectMs = 10_000;

/** @param fingerprint SHA-256 of the certificate, as `AB:CD:…` */
export function createPinnedFetch(fingerprint: string, { connectMs = defaultConnectMs } = {}): Fetch {
  return async (url, init) => {
    const socket = await connectPinned(new URL(url), fingerprint, { connectMs, signal: init.signal });
    return fetchOver(socket, url, init);
  };
}

async function connectPinned(
  { hostname, port }: URL,
  fingerprint: string,
  { connectMs, signal }: { readonly connectMs: number; readonly signal: AbortSignal | undefined },
): Promise<TLSSocket> {
  const host = hostname.replace(/^\[|\]$/g, '');
  // The fingerprint is checked below instead of the issuer and the name.
  const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false });
  const limit = AbortSignal.timeout(connectMs);
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.any([limit, ...(signal ? [signal] : [])]) });
  } catch (error) {
    // Ignore later errors of this socket.
    socket.on('error', () => undefined).destroy();
    if (!limit.aborted || signal?.aborted) throw error;
    throw new Error(`the server did not complete the TLS handshake within ${formatDuration(connectMs)}`, {
      cause: error,
    });
  }
  if (socket.getPeerX509Certificate()?.fingerprint256 === fingerprint) return socket;
  socket.destroy();
  const message = "is not the one that this data dir's server announced";
  throw Object.assign(new Error(message), { code: 'FLWD_OTHER_CERTIFICATE' });
}
