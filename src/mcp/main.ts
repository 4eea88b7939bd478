// Serves MCP on standard input and output. Only `flwd mcp` loads this code.

import type { Server } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { atMost } from '../lib/at-most.ts';
import type { Instance } from './instance.ts';
import { createMcpServer, notifyOutdated, type Shown } from './server.ts';
import { mostLineBytes, readMessages } from './stdio-input.ts';
import { createUnfinished } from './unfinished.ts';

/** How often to check whether the client's list of tools is out of date. */
const compareMs = 5_000;
/** How long to wait at the end for requests of the client that start or cancel runs. */
const finishMs = 10_000;

/**
 * Serves until the client closes the input or the signal is aborted. Then it waits a limited time for the last calls.
 */
export async function runMcp(instance: Instance, stopped: AbortSignal): Promise<void> {
  const { keep, finished } = createUnfinished();
  const { lines, end } = readMessages(process.stdin, process.stdout);
  // The buffer has room for the longest line and its end.
  const transport = new StdioServerTransport(lines, process.stdout, { maxBufferSize: mostLineBytes + 1 });
  const clients: { readonly server: Server; readonly shown: Shown }[] = [];
  const handle = serveStdio(
    () => {
      const shown: Shown = {};
      const server = createMcpServer(instance, {
        shown,
        keep,
        isLossCancel: () => false,
        enter: () => () => undefined,
      });
      clients.push({ server, shown });
      return server;
    },
    { transport },
  );
  const comparing = setInterval(() => {
    const outdated = clients.filter(({ shown }) => shown.print !== undefined);
    // If this attempt fails, the next one may succeed.
    if (outdated.length > 0) notifyOutdated(instance, outdated).catch(() => undefined);
  }, compareMs);
  await new Promise<void>((resolve) => {
    const { onclose } = transport;
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a transport has no other way to say this
    transport.onclose = () => {
      onclose?.();
      resolve();
    };
    if (stopped.aborted) resolve();
    stopped.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(comparing);
  end();
  await handle.close();
  await atMost(finishMs, finished());
}
