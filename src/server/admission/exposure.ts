// Refuses to start a server if other machines can reach it but nobody can log in to it (ADR 0015).

import { once } from 'node:events';
import { createServer } from 'node:net';
import { isLoopback } from '../../lib/loopback.ts';
import { StartError } from '../../lib/start-error.ts';
import type { TokenStore } from '../../store/tokens.ts';
import type { AuthMode } from './local-callers.ts';

/** @throws StartError, and the error of `listen` if the host has no such address */
export async function assertGuarded(o: {
  readonly host: string;
  readonly port: number;
  readonly mode: AuthMode;
  readonly hasJwt: boolean;
  readonly tokens: Pick<TokenStore, 'hasActive'>;
  readonly nowMs: number;
}): Promise<void> {
  if (isLoopback(o.host) || o.mode === 'none' || o.hasJwt || (await o.tokens.hasActive(o.nowMs))) return;
  await assertHasAddress(o.host);
  const port = o.port || 8080;
  const local = `127.0.0.1:${port}`;
  throw new StartError(
    `${o.host} can be reached from other machines, but no token exists, so nobody could log in. Create a token: ` +
      'flwd tokens create --name NAME --scopes admin (with the --config or --data-dir of this server); or configure ' +
      `auth.jwt. Or bind to ${local} and use a tunnel: ssh -L ${port}:${local} HOST. ` +
      'With `auth.mode: none`, everyone who can reach the server may do everything',
  );
}

/**
 * Throws if the host does not have this address. If the operator has mistyped the address, advice about tokens would
 * not help.
 */
async function assertHasAddress(host: string): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  server.listen({ host, port: 0 });
  await once(server, 'listening');
  server.close();
}
