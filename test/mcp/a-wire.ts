// Sends raw messages to `/mcp`, such as no client of the SDK would send.

const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
export const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: hello };
export const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };

export function callTool(name: string, args: object = {}) {
  return { jsonrpc: '2.0', id: crypto.randomUUID(), method: 'tools/call', params: { name, arguments: args } };
}

export function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(new URL('/mcp', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify(body),
  });
}

/** Begins a session for a client of 2025. @returns the header of the session */
export async function beginSession(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly 'mcp-session-id': string }> {
  const begun = await post(url, initialize, headers);
  await begun.text();
  return { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' };
}
