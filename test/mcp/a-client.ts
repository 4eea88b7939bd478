// An MCP client as agents have one, which starts the real `flwd mcp`.

import {
  type CallToolResult,
  Client,
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { onTestFinished } from 'vitest';
import { bin } from '../cli/terminal.ts';

/** The two generations of the protocol that clients speak. */
export const generations = ['2025-11-25', '2026-07-28'] as const;
export type Generation = (typeof generations)[number];

export type Agent = {
  readonly client: Client;
  readonly call: (name: string, args?: Record<string, unknown>) => Promise<CallToolResult>;
  readonly transport: StdioClientTransport;
};

type StdioOptions = { readonly generation?: Generation; readonly env?: Record<string, string> };

/** Connects a client, and closes it when the test ends. */
export async function connect(dir: string, words: readonly string[] = [], o: StdioOptions = {}): Promise<Agent> {
  const agent = await open(dir, words, o);
  onTestFinished(() => agent.client.close());
  return agent;
}

/** Connects a client that the caller must close. */
export async function open(
  dir: string,
  words: readonly string[] = [],
  { generation = '2026-07-28', env = {} }: StdioOptions = {},
): Promise<Agent> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [bin, 'mcp', ...words],
    cwd: dir,
    env: { PATH: process.env.PATH ?? '', HOME: dir, ...env },
    stderr: 'pipe',
  });
  const client = new Client(
    { name: 'a-test', version: '1' },
    { versionNegotiation: { mode: generation === '2025-11-25' ? 'legacy' : { pin: generation } } },
  );
  await client.connect(transport);
  return { client, transport, call: (name, args = {}) => client.callTool({ name, arguments: args }) };
}

/** Connects a client to `/mcp`, with a token or as the user of the server. */
export async function connectHttp(
  url: string,
  {
    generation = '2026-07-28',
    headers = {},
    ...more
  }: { generation?: Generation; headers?: Record<string, string> } & Pick<
    StreamableHTTPClientTransportOptions,
    'fetch' | 'reconnectionOptions'
  > = {},
) {
  const transport = new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers }, ...more });
  const client = new Client(
    { name: 'a-test', version: '1' },
    { versionNegotiation: { mode: generation === '2025-11-25' ? 'legacy' : { pin: generation } } },
  );
  await client.connect(transport);
  onTestFinished(() => client.close());
  const call: Agent['call'] = (name, args = {}) => client.callTool({ name, arguments: args });
  return { client, transport, call };
}

/** Returns the text of an answer that a model reads. */
export function textOf({ content }: CallToolResult): string {
  return content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the test says what it expects
export function dataOf<T>({ structuredContent }: CallToolResult): T {
  const data: T = JSON.parse(JSON.stringify(structuredContent));
  return data;
}
