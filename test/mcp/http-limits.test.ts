import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { type Serving, startServing, type TestToken } from '../server/serving.ts';
import type { RunAnswer } from '../support/answers.ts';
import { bash } from '../support/jobs.ts';
import { connectHttp } from './a-client.ts';
import { beginSession, callTool, initialize, list, post } from './a-wire.ts';

type Headers = Readonly<Record<string, string>>;

let server: Serving;
beforeAll(async () => {
  server = await startServing({ jobs: { hello: bash('echo hello') } });
});
afterAll(() => server.close());

const mostSessions = 50;

async function beginSessions(count: number, { headers }: TestToken): Promise<Headers[]> {
  const sessions: Headers[] = [];
  for (let n = 0; n < count; n++) sessions.push({ ...headers, ...(await beginSession(server.url, headers)) });
  return sessions;
}

const otherDigit = (digit: string) => (digit === '0' ? '1' : '0');

/** The ids of the sessions that the server forgets after this call. */
function forgotten(): () => unknown[] {
  const closing = vi.spyOn(WebStandardStreamableHTTPServerTransport.prototype, 'close');
  onTestFinished(() => closing.mockRestore());
  return () => closing.mock.contexts.map((transport) => Reflect.get(Object(transport), 'sessionId'));
}

const statusOf = async (session: Headers | undefined) => (await post(server.url, list, session)).status;

/** Opens a stream that nobody reads until the test has ended. */
async function openStream(url: string, headers: Headers, init: RequestInit = {}): Promise<Response> {
  const closing = new AbortController();
  const accept = 'application/json, text/event-stream';
  const response = await fetch(new URL('/mcp', url), {
    ...init,
    headers: { accept, ...headers },
    signal: closing.signal,
  });
  // This also keeps a reference to the response, because fetch closes the connection of a response without references.
  onTestFinished(() => closing.abort(response));
  return response;
}

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'x', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

function openListening(url: string, headers: Headers): Promise<Response> {
  const params = { notifications: { toolsListChanged: true }, _meta: meta };
  return openStream(
    url,
    {
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
      ...headers,
    },
    { method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params }) },
  );
}

test('a caller has 50 sessions, even with narrower rights: one more replaces its session that was idle longest', async () => {
  const [one, other] = [await server.token(), await server.token()];
  const [theirs] = await beginSessions(1, other);
  const own = await beginSessions(mostSessions, one);
  expect(await statusOf(own[0])).toBe(200);
  const narrow = { ...one, headers: { ...one.headers, 'x-flwd-agent': 'jobs:read' } };
  const gone = forgotten();
  const [last] = await beginSessions(1, narrow);
  expect(gone()).toEqual([own[1]?.['mcp-session-id']]);
  for (const session of [theirs, own[0], own[3], last]) expect(await statusOf(session)).toBe(200);
  expect(gone().length).toBe(1);
  // The forgotten session begins again, and replaces another one.
  expect(await statusOf(own[1])).toBe(200);
  expect(gone()).toEqual([own[1], own[2]].map((session) => session?.['mcp-session-id']));
});

test('a session with an open stream is not idle, and a caller without an idle session gets no new session', async () => {
  const token = await server.token();
  const own = await beginSessions(mostSessions, token);
  for (const session of own) expect((await openStream(server.url, session)).status).toBe(200);
  const refused = await post(server.url, initialize, token.headers);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
  const lost = { ...token.headers, 'mcp-session-id': String(own[0]?.['mcp-session-id']).replace(/^./, otherDigit) };
  expect(await statusOf(lost)).toBe(429);
  expect(await statusOf(own[0])).toBe(200);
});

test('a request that begins no session does not end another session either', async () => {
  const token = await server.token();
  const own = await beginSessions(mostSessions, token);
  expect((await post(server.url, list, token.headers)).status).toBe(400);
  expect((await openStream(server.url, token.headers)).status).toBe(400);
  // A client that does not accept event streams cannot get an answer, so the server refuses it.
  expect((await post(server.url, initialize, { ...token.headers, accept: 'text/html' })).status).toBe(406);
  for (const session of own) expect(await statusOf(session)).toBe(200);
});

test('a session is forgotten when it has been idle for too long, but not while a stream or a call is open', async () => {
  const jobs = { waits: bash('while true; do sleep 0.1; done') };
  await using short = await startServing({ executes: true, jobs, mcp: { idleMs: 500 } });
  // If a session is forgotten before it is used, it begins again.
  const streaming = await beginSession(short.url);
  await openStream(short.url, streaming);
  const calling = await beginSession(short.url);
  const headers = { 'content-type': 'application/json', ...calling };
  const call = { method: 'POST', body: JSON.stringify(callTool('job_waits')) };
  // The call continues without its connection.
  await (await openStream(short.url, headers, call)).body?.cancel();
  const idle = await beginSession(short.url);
  const ended = await openStream(short.url, idle);
  expect(ended.status).toBe(200);
  const gone = forgotten();
  await ended.body?.cancel();
  await expect.poll(gone).toContain(idle['mcp-session-id']);
  for (const session of [streaming, calling]) expect(gone()).not.toContain(session['mcp-session-id']);
  for (const session of [streaming, calling, idle]) expect((await post(short.url, list, session)).status).toBe(200);
});

test('the answer of a cancelled call ends without a message, and nothing of the call is kept', async () => {
  const handling = vi.spyOn(WebStandardStreamableHTTPServerTransport.prototype, 'handleRequest');
  onTestFinished(() => handling.mockRestore());
  const session = await beginSession(server.url);
  const run = await server.addRun();
  await run.move('claim');
  for (const id of [1, 'two']) {
    const waiting = await post(
      server.url,
      { ...callTool('runs_wait', { run_id: run.id, wait_s: 3_600 }), id },
      session,
    );
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } };
    expect((await post(server.url, cancel, session)).status).toBe(202);
    expect(await waiting.text()).not.toContain('jsonrpc');
  }
  const [transport] = handling.mock.contexts;
  // This map contains the id of each call until the call is answered.
  await expect.poll(() => Reflect.get(transport ?? {}, '_requestToStreamMapping')).toEqual(new Map());
});

test('a session has at most 20 concurrent calls, even if their connections are lost', async () => {
  const jobs = { waits: bash('while true; do sleep 0.1; done') };
  await using executing = await startServing({ executes: true, jobs });
  const [one, other] = [await beginSession(executing.url), await beginSession(executing.url)];
  const started = await executing.post('/runs', { job_id: 'waits' });
  const { run_id }: RunAnswer = JSON.parse(await started.text());
  const wait = callTool('runs_wait', { run_id, wait_s: 3_600 });
  for (let n = 0; n < 20; n++) {
    const leaving = new AbortController();
    const answer = await fetch(new URL('/mcp', executing.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...one },
      body: JSON.stringify({ ...wait, id: n }),
      signal: leaving.signal,
    });
    expect(answer.status).toBe(200);
    leaving.abort();
  }
  expect(await (await post(executing.url, { ...list, id: 99 }, one)).text()).toContain('already has 20 running calls');
  expect(await (await post(executing.url, list, other)).text()).toContain('"tools"');
  await executing.post(`/runs/${run_id}/cancel?force=true`, '');
  await expect.poll(async () => (await post(executing.url, list, one)).text()).toContain('"tools"');
});

test('streams that announce changes to clients count towards the limit of streams', async () => {
  const { headers } = await server.token();
  for (let n = 0; n < 100; n++) expect((await openListening(server.url, headers)).status).toBe(200);
  expect((await openListening(server.url, headers)).status).toBe(429);
  // The server accepts no request whose answer would need another stream.
  expect((await post(server.url, initialize, headers)).status).toBe(429);
});

/** Returns how often jobs were listed so far, or how often listing them was refused. */
async function listings({ fetch: get }: Serving, status: '2xx' | '4xx' = '2xx'): Promise<number> {
  const metrics = await (await get('//metrics')).text();
  const [, times = 0] =
    new RegExp(`^flwd_http_requests_total\\{operation="listJobs",method="GET",status="${status}"\\} (\\d+)$`, 'm').exec(
      metrics,
    ) ?? [];
  return Number(times);
}

test('the server lists the tools once for all clients of a caller, and only when jobs have changed', async () => {
  await using changing = await startServing({ jobs: { hello: bash('echo hello') } });
  const { headers } = await changing.token();
  const heard: string[] = [];
  for (const name of ['one', 'two', 'three']) {
    const { client } = await connectHttp(changing.url, { generation: '2025-11-25', headers });
    client.setNotificationHandler('notifications/tools/list_changed', () => void heard.push(name));
    await client.listTools();
  }
  const before = await listings(changing);
  // The server has listed the tools once for each client, and each list takes two requests.
  expect(before).toBe(6);
  await changing.addJob('fresh', bash('true'));
  await expect.poll(() => heard.toSorted()).toEqual(['one', 'three', 'two']);
  expect(await listings(changing)).toBe(before + 2);
});

test('six clients of a caller can list the tools at once, and are told of a change despite an exhausted rate limit', async () => {
  const jobs = Object.fromEntries(Array.from({ length: 34 }, (_, n) => [`job-${n}`, bash('true')]));
  await using changing = await startServing({ jobs, rateLimit: { limit: 40, windowMs: 1_000 } });
  const { headers } = await changing.token();
  const heard = new Set<number>();
  const clients = await Promise.all(
    Array.from({ length: 6 }, () => connectHttp(changing.url, { generation: '2025-11-25', headers })),
  );
  for (const [n, { client }] of clients.entries())
    client.setNotificationHandler('notifications/tools/list_changed', () => void heard.add(n));
  const lists = await Promise.all(clients.map(({ client }) => client.listTools()));
  expect(lists.map(({ tools }) => tools.length)).toEqual(Array.from({ length: 6 }, () => 25 + 12));
  const useUp = async () => {
    const ask = async () => (await changing.fetch('/system/info', { headers })).text();
    await Promise.all(Array.from({ length: 40 }, ask));
  };
  // The server may list the tools before the rate limit is exhausted, so repeat this until a list is refused.
  for (let n = 0; (await listings(changing, '4xx')) === 0; n++) {
    await changing.addJob(`a-${n}`, bash('true'));
    await useUp();
  }
  await expect.poll(() => heard.size).toBe(6);
});

test('the server stops listing the tools of a revoked token', async () => {
  await using changing = await startServing({ jobs: { hello: bash('echo hello') } });
  const gone = await changing.token();
  const kept = await changing.token();
  let changes = 0;
  const [, { client }] = [
    await connectHttp(changing.url, { generation: '2025-11-25', ...gone }).then(({ client: its }) => its.listTools()),
    await connectHttp(changing.url, { generation: '2025-11-25', ...kept }),
  ];
  client.setNotificationHandler('notifications/tools/list_changed', () => {
    changes += 1;
  });
  await client.listTools();
  await changing.fetch(`/tokens/${gone.id}`, { method: 'DELETE' });
  for (const [n, name] of ['fresh', 'fresher'].entries()) {
    await changing.addJob(name, bash('true'));
    await expect.poll(() => changes).toBe(n + 1);
    await expect.poll(() => listings(changing, '4xx')).toBe(1);
  }
});

test('if the code for agents cannot be loaded, the next request tries again, and the server can stop', async () => {
  let opened = 0;
  const failing = await startServing({
    openMcp: async () => {
      opened += 1;
      throw new Error('no');
    },
  });
  expect((await post(failing.url, initialize)).status).toBe(500);
  expect((await post(failing.url, initialize)).status).toBe(500);
  expect(opened).toBe(2);
  await failing.close();
});
