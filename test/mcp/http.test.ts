import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createInstance } from '../cli/an-instance.ts';
import { flwd } from '../cli/terminal.ts';
import type { RunAnswer } from '../support/answers.ts';
import { bash } from '../support/jobs.ts';
import { dataOf, type Generation, generations, textOf } from './a-client.ts';

const waits = bash('flwd_progress 40 "waiting for the file"; while true; do sleep 0.1; done');
const greet = bash('echo "hello $who"', { argspec: { type: 'object', properties: { who: { type: 'string' } } } });

async function served(sections: Readonly<Record<string, unknown>> = {}) {
  const instance = await createInstance({ waits, greet }, sections);
  const server = await instance.serve();
  const runs = async () => (await server.json<{ runs: RunAnswer[] }>('/runs')).runs;
  const token = async (name: string, scopes: string) =>
    (await flwd(instance.dir, 'tokens', 'create', '--name', name, '--scopes', scopes)).stdout.trim();
  return { ...server, dir: instance.dir, runs, token };
}

async function connect(url: string, generation: Generation, token?: string) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const transport = new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers } });
  const client = new Client(
    { name: 'a-test', version: '1' },
    { versionNegotiation: { mode: generation === '2025-11-25' ? 'legacy' : { pin: generation } } },
  );
  await client.connect(transport);
  onTestFinished(() => client.close());
  return { client, transport, call: (name: string, args = {}) => client.callTool({ name, arguments: args }) };
}

/** Calls job_waits, and says what the client hears of it. */
function startWaiting(client: Client, o: { signal?: AbortSignal; timeout?: number } = {}) {
  const seen: { message?: string | undefined }[] = [];
  const called = client.callTool({ name: 'job_waits', arguments: {} }, { ...o, onprogress: (one) => seen.push(one) });
  called.catch(() => undefined);
  return { called, isWaiting: () => expect.poll(() => seen.at(-1)?.message).toBe('waiting for the file') };
}

describe.each(generations)('a client of %s over HTTP', (generation) => {
  test('acts as an agent for its token, and without a token for the user of the server', async () => {
    const { url, runs, token } = await served();
    const own = await connect(url, generation);
    expect(dataOf(await own.call('job_greet', { who: 'Ada' }))).toMatchObject({ last_lines: ['| hello Ada'] });
    const ci = await connect(url, generation, await token('ci', 'jobs:read,runs:write'));
    expect(dataOf(await ci.call('jobs_start', { job_id: 'greet' }))).toMatchObject({ status: 'success' });
    expect(await runs()).toMatchObject([
      { created_by: 'mcp:ci', trigger: { type: 'mcp' } },
      { created_by: 'mcp:local', trigger: { type: 'mcp' } },
    ]);
    const reader = await connect(url, generation, await token('reader', 'jobs:read,runs:read'));
    expect(textOf(await reader.call('jobs_start', { job_id: 'greet' }))).toBe(
      "The caller lacks the scope 'runs:write'.",
    );
  });

  test('a call that is cancelled cancels its run, and no other with the same id', async () => {
    const { url, runs, finished } = await served();
    const [one, other] = [await connect(url, generation), await connect(url, generation)];
    const cancelling = new AbortController();
    const first = startWaiting(one.client, { signal: cancelling.signal });
    await first.isWaiting();
    const [run] = await runs();
    // Both clients count their requests from the same number.
    await startWaiting(other.client).isWaiting();
    cancelling.abort();
    expect(await finished(run?.run_id ?? '')).toMatchObject({ status: 'cancelled' });
    expect(await runs()).toMatchObject([{ status: 'running' }, { status: 'cancelled' }]);
  });

  test('the time-out of a client cancels its run', async () => {
    const { url, runs, finished } = await served();
    const { client } = await connect(url, generation);
    await expect(startWaiting(client, { timeout: 3_000 }).called).rejects.toThrow();
    const [run] = await runs();
    expect(await finished(run?.run_id ?? '')).toMatchObject({ status: 'cancelled' });
  });

  test('a stop of the server leaves the runs of its agents', async () => {
    const { url, runs, stop, dir } = await served();
    const { client } = await connect(url, generation);
    await startWaiting(client).isWaiting();
    const [run] = await runs();
    await stop();
    const { stdout } = await flwd(dir, 'runs', run?.run_id ?? '', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ status: 'running', cancel_requested_at: null });
  });
});

const post = (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  fetch(new URL('/mcp', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify(body),
  });
const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: hello };
const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };

test('a lost connection of a client of 2025 leaves its run', async () => {
  const { url, runs } = await served();
  const begun = await post(url, initialize);
  const session = { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' };
  await begun.text();
  const leaving = new AbortController();
  const call = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'job_waits', arguments: {} } };
  const answer = await fetch(new URL('/mcp', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...session },
    body: JSON.stringify(call),
    signal: leaving.signal,
  });
  expect(answer.status).toBe(200);
  await expect.poll(async () => (await runs())[0]?.status).toBe('running');
  leaving.abort();
  expect((await post(url, list, session)).status).toBe(200);
  expect(await runs()).toMatchObject([{ status: 'running' }]);
});

test('a session belongs to its token, and another one finds no such session', async () => {
  const { url, token } = await served();
  const [one, other] = [await token('one', 'jobs:read'), await token('other', 'admin')];
  const begun = await post(url, initialize, { authorization: `Bearer ${one}` });
  const session = { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' };
  expect((await post(url, list, { ...session, authorization: `Bearer ${one}` })).status).toBe(200);
  const never = await post(url, list, { 'mcp-session-id': 'x', authorization: `Bearer ${other}` });
  const theirs = await post(url, list, { ...session, authorization: `Bearer ${other}` });
  expect([theirs.status, await theirs.text()]).toEqual([404, await never.text()]);
  expect((await post(url, list, session)).status).toBe(404);
  const ended = await fetch(new URL('/mcp', url), {
    method: 'DELETE',
    headers: { ...session, authorization: `Bearer ${other}` },
  });
  expect(ended.status).toBe(404);
  expect((await post(url, list, { ...session, authorization: `Bearer ${one}` })).status).toBe(200);
});

test('a caller who took rights from itself does not get them back through the session of another', async () => {
  const { url } = await served();
  const narrow = { 'x-flwd-agent': 'jobs:read' };
  const [wide, own] = [await post(url, initialize), await post(url, initialize, narrow)];
  const idOf = ({ headers }: Response) => ({ 'mcp-session-id': headers.get('mcp-session-id') ?? '' });
  expect((await post(url, list, { ...idOf(wide), ...narrow })).status).toBe(404);
  expect(await (await post(url, list, idOf(wide))).text()).toContain('"jobs_start"');
  expect(await (await post(url, list, { ...idOf(own), ...narrow })).text()).not.toContain('"jobs_start"');
});

test('a revoked token loses its session at once, and a call that waits learns nothing more', async () => {
  const { url, token, dir } = await served({ mcp: { wait: '10s' } });
  const { client, call } = await connect(url, '2025-11-25', await token('ci', 'jobs:read,runs:write'));
  const { called, isWaiting } = startWaiting(client);
  await isWaiting();
  await flwd(dir, 'tokens', 'revoke', 'ci');
  await expect(call('runs_list')).rejects.toThrow();
  const answer = await called;
  expect([answer.isError, textOf(answer)]).toEqual([true, 'The credential is not valid.']);
});

test('flwd admits requests before MCP sees them', async () => {
  const { url } = await served();
  expect((await post(url, list, { authorization: 'Bearer flwd_x' })).status).toBe(401);
  expect((await post(url, list, { via: '1.1 proxy' })).status).toBe(401);
  expect((await post(url, list, { origin: 'https://evil.example' })).status).toBe(403);
  expect((await post(url, { ...list, params: { x: 'x'.repeat(2 ** 21) } })).status).toBe(413);
});

test('a token has at most 20 sessions: the next one ends the one that was not used for longest', async () => {
  const { url } = await served();
  const sessions: string[] = [];
  for (let n = 0; n < 21; n++) sessions.push((await post(url, initialize)).headers.get('mcp-session-id') ?? '');
  expect((await post(url, list, { 'mcp-session-id': sessions[0] ?? '' })).status).toBe(404);
  expect((await post(url, list, { 'mcp-session-id': sessions[20] ?? '' })).status).toBe(200);
});

test('without mcp among its extensions, a server has no /mcp', async () => {
  const { url } = await served({ extensions: { enabled: [] } });
  expect((await post(url, list)).status).toBe(404);
});
