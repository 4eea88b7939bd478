// Serves MCP on standard input and output. No other command loads this code.

import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Instance } from './instance.ts';
import { createMcpServer } from './server.ts';

/** How often the list of tools is compared with what the client has. */
const compareMs = 10_000;

/** Resolves when the client has gone away or the signal comes, and what must be finished is finished. */
export async function runMcp(instance: Instance, stopped: AbortSignal): Promise<void> {
  const unfinished = new Set<Promise<unknown>>();
  const keep = (work: Promise<unknown>): void => {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    unfinished.add(settled);
    void settled.then(() => unfinished.delete(settled));
  };
  const transport = new StdioServerTransport();
  const compared = new Set<() => Promise<void>>();
  const handle = serveStdio(
    () => {
      const { server, compareTools } = createMcpServer(instance, keep);
      compared.add(compareTools);
      return server;
    },
    { transport },
  );
  const comparing = setInterval(() => {
    // If this fails, the next one may not.
    for (const compare of compared) compare().catch(() => undefined);
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
  await handle.close();
  await Promise.all(unfinished);
}
