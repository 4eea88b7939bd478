// HTTPS to the server of this user's own data dir. What it shows must be the very certificate that it names on the private
// socket there: the name in it is that of the machine, not of loopback, and its issuer may be known to nobody here.

import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { Fetch } from '../../client/client.ts';
import { formatDuration } from '../../lib/units.ts';
import { fetchOver } from './http-fetch.ts';

/** For a server of this very machine, which may be busy. */
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
  // The check below takes the place of the one by issuers and names.
  const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false });
  const limit = AbortSignal.timeout(connectMs);
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.any([limit, ...(signal ? [signal] : [])]) });
  } catch (error) {
    // It may still fail, with nobody left to hear of it.
    socket.on('error', () => undefined).destroy();
    if (!limit.aborted || signal?.aborted) throw error;
    throw new Error(`the server there did not answer in TLS within ${formatDuration(connectMs)}`, { cause: error });
  }
  if (socket.getPeerX509Certificate()?.fingerprint256 === fingerprint) return socket;
  socket.destroy();
  const message = "is not the one that this data dir's server should show";
  throw Object.assign(new Error(message), { code: 'FLWD_OTHER_CERTIFICATE' });
}
