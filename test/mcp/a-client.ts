// An MCP client as agents have one, which starts the real `flwd mcp`.

import { type CallToolResult, Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { onTestFinished } from 'vitest';
import { bin } from '../cli/terminal.ts';

/** The two generations of the protocol. */
export const generations = ['2025-11-25', '2026-07-28'] as const;
export type Generation = (typeof generations)[number];

export type Agent = {
  readonly client: Client;
  readonly call: (name: string, args?: Record<string, unknown>) => Promise<CallToolResult>;
  readonly transport: StdioClientTransport;
};

export async function connect(
  dir: string,
  words: readonly string[] = [],
  { generation = '2026-07-28', env = {} }: { generation?: Generation; env?: Record<string, string> } = {},
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
  onTestFinished(() => client.close());
  return { client, transport, call: (name, args = {}) => client.callTool({ name, arguments: args }) };
}

/** The text that a model reads. */
export function textOf({ content }: CallToolResult): string {
  return content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the test says what it expects
export function dataOf<T>({ structuredContent }: CallToolResult): T {
  const data: T = JSON.parse(JSON.stringify(structuredContent));
  return data;
}
