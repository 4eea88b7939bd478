import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Client } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { openHttpMcp } from '../../src/mcp/http.ts';
import { createInstance } from '../cli/an-instance.ts';
import { flwd } from '../cli/terminal.ts';
import { type Serving, startServing } from '../server/serving.ts';
import type { RunAnswer } from '../support/answers.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { connectHttp, dataOf, generations, textOf } from './a-client.ts';
import { beginSession, callTool, initialize, list, post } from './a-wire.ts';

const waits = bash('flwd_progress 40 "waiting for the file"; while true; do sleep 0.1; done');
const naps = bash('flwd_progress 40 "waiting for the file"; sleep 1');
const detached = bash('flwd_progress 40 "waiting for the file"; sleep 1', { agents: { detach: true } });
const greet = bash('echo "hello $who"', { argspec: { type: 'object', properties: { who: { type: 'string' } } } });

let server: Serving;
beforeAll(async () => {
  server = await startServing({ executes: true, jobs: { waits, naps, greet, detached, asked } });
});
afterAll(() => server.close());

const asked = bash('echo yes', { agents: { approval: true } });

const agentScopes = ['jobs:read', 'runs:write'] as const;

/** The runs of an agent, newest first. */
async function runsOf(name: string): Promise<RunAnswer[]> {
  const answer = await server.fetch(`/runs?created_by=${encodeURIComponent(`mcp:${name}`)}`);
  const { runs }: { runs: RunAnswer[] } = JSON.parse(await answer.text());
  return runs;
}

/** Returns how the newest run of an agent ended. */
async function endOf(name: string): Promise<string> {
  await expect.poll(async () => (await runsOf(name))[0]?.finished_at ?? null).not.toBeNull();
  return (await runsOf(name))[0]?.status ?? '';
}

/** Calls a job that waits, and records the progress that the client is told of. */
function startWaiting(client: Client, job = 'waits', o: { signal?: AbortSignal; timeout?: number } = {}) {
  const seen: { message?: string | undefined }[] = [];
  const called = client.callTool({ name: `job_${job}`, arguments: {} }, { ...o, onprogress: (one) => seen.push(one) });
  called.catch(() => undefined);
  return {
    called,
    isWaiting: () => expect.poll(() => seen.map(({ message }) => message)).toContain('waiting for the file'),
  };
}

describe.each(generations)('a client of %s over HTTP', (generation) => {
  test('with a token that is limited to jobs, gets only these jobs as tools and starts no others', async () => {
    const { headers } = await server.token({ scopes: agentScopes, only: ['gre*'] });
    const { client } = await connectHttp(server.url, { generation, headers });
    const names = (await client.listTools()).tools.map(({ name }) => name).filter((name) => name.startsWith('job_'));
    expect(names).toEqual(['job_greet']);
    expect(textOf(await client.callTool({ name: 'jobs_search', arguments: { q: 'waits' } }))).not.toContain('waits"');
    const refused = await client.callTool({ name: 'jobs_start', arguments: { job_id: 'waits' } });
    expect(refused).toMatchObject({ isError: true });
    expect(textOf(refused)).toContain("The job 'waits' does not exist");
  });

  test('is told at once that a person must approve the run', async () => {
    const { client } = await connectHttp(server.url, { generation });
    const { tools } = await client.listTools();
    expect(tools.find(({ name }) => name === 'job_asked')?.description).toContain('A person must approve each run');
    const started = await client.callTool({ name: 'job_asked', arguments: {} });
    const { run_id: runId } = dataOf<RunAnswer>(started);
    expect(textOf(started)).toContain(`flwd approve ${runId} agent_approval`);
    const decision = { step_id: 'agent_approval', decision: 'approve' };
    expect((await server.post(`/runs/${runId}/approvals`, decision)).status).toBe(200);
    expect(textOf(await client.callTool({ name: 'runs_wait', arguments: { run_id: runId } }))).toContain('success');
  });

  test('is told which argument a tool does not have, and which argument is invalid', async () => {
    const { client } = await connectHttp(server.url, { generation });
    const wordsOf = async (name: string, args: Record<string, unknown>) => {
      const answer = await client.callTool({ name, arguments: args });
      expect(answer).toMatchObject({ isError: true });
      return textOf(answer);
    };
    expect(await wordsOf('jobs_search', { perfix: 'x', limit: 'many' })).toBe(
      "The arguments of jobs_search are not valid: there is no argument 'perfix'; did you mean prefix?; limit must be an integer, not a string",
    );
    expect(await wordsOf('runs_list', { status: 'over', limit: 51 })).toBe(
      'The arguments of runs_list are not valid: status must be one of pending, running, success, failed, cancelled; limit must be at most 50',
    );
    expect(await wordsOf('runs_get', {})).toBe('The arguments of runs_get are not valid: run_id is required');
    expect(await wordsOf('job_greet', { who: 5 })).toBe('/args/who: must be a string, not a number');
    expect(await wordsOf('job_greet', { who: 5, whom: 6 })).toMatch(
      /\n- \/args\/whom: unknown argument `whom`.*\n- \/args\/who: must be a string, not a number$/,
    );
  });

  test.each([
    [
      'tools/call',
      { name: 'jobs_search', arguments: 'x' },
      'The arguments of jobs_search must be an object with a member for each, not a string.',
    ],
    [
      'tools/call',
      { name: 'job_greet', arguments: [1] },
      'The arguments of job_greet must be an object with a member for each, not an array.',
    ],
    ['tools/call', { arguments: {} }, 'The name of tools/call must be a string.'],
    ['resources/read', { uri: 4 }, 'The uri of resources/read must be a string, not a number.'],
  ])('gets an explanation of wrong parameters of %s: %j', async (method, params, words) => {
    const { client } = await connectHttp(server.url, {
      generation,
      // The client of the SDK would not send this itself.
      fetch: (url, init) => {
        const sent: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : {};
        const body: { method?: string; params?: { _meta?: object } } = { ...Object(sent) };
        if (body.method !== method) return fetch(url, init);
        const { _meta: meta } = { ...body.params };
        return fetch(url, {
          ...init,
          body: JSON.stringify({ ...body, params: { ...params, ...(meta && { _meta: meta }) } }),
        });
      },
    });
    const asked =
      method === 'tools/call'
        ? client.callTool({ name: String(Object(params).name), arguments: {} })
        : client.readResource({ uri: 'x:y' });
    const error = await asked.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: -32_602, message: expect.stringContaining(words) });
  });

  test('starts a run in the trace that the call passes on', async () => {
    const { client } = await connectHttp(server.url, { generation });
    const trace_id = '0af7651916cd43dd8448eb211c80319c';
    const inTrace = async (name: string, args: Record<string, unknown>, traceparent: unknown) => {
      const called = await client.callTool({ name, arguments: args, _meta: { traceparent, tracestate: 'rojo=1' } });
      const { run_id: id } = dataOf<RunAnswer>(called);
      const run: Record<string, unknown> = JSON.parse(await (await server.fetch(`/runs/${id}`)).text());
      return run.trace;
    };
    const good = `00-${trace_id}-b7ad6b7169203331-01`;
    const named = { trace_id, parent_id: 'b7ad6b7169203331', sampled: true, state: 'rojo=1' };
    expect(await inTrace('job_greet', { who: 'Ada' }, good)).toEqual(named);
    expect(await inTrace('jobs_start', { job_id: 'greet', idempotency_key: generation }, good)).toEqual(named);
    for (const wrong of [7, `${good}\r\nx: y`, `00-${'0'.repeat(32)}-b7ad6b7169203331-01`])
      expect(await inTrace('job_greet', {}, wrong)).toMatchObject({ parent_id: null, state: null });
  });

  test('acts as an agent for its token, or without a token for the server’s user', async () => {
    const own = await connectHttp(server.url, { generation });
    const greeted = dataOf<RunAnswer>(await own.call('job_greet', { who: 'Ada' }));
    expect(greeted).toMatchObject({ last_lines: ['| hello Ada'] });
    expect((await runsOf('local'))[0]).toMatchObject({ run_id: greeted.run_id, trigger: { type: 'mcp' } });
    const { name, headers } = await server.token({ scopes: agentScopes });
    const ci = await connectHttp(server.url, { generation, headers });
    expect(dataOf(await ci.call('jobs_start', { job_id: 'greet' }))).toMatchObject({ status: 'success' });
    expect(await runsOf(name)).toMatchObject([{ created_by: `mcp:${name}`, trigger: { type: 'mcp' } }]);
    const reader = await server.token({ scopes: ['jobs:read', 'runs:read'] });
    const refused = await (await connectHttp(server.url, { generation, ...reader })).call('jobs_start', {
      job_id: 'greet',
    });
    expect(textOf(refused)).toBe("The caller lacks the scope 'runs:write'.");
  });

  test('cancels its run by cancelling its call, and no run of another client with the same request ids', async () => {
    const token = await server.token({ scopes: agentScopes });
    const [one, other] = [
      await connectHttp(server.url, { generation, ...token }),
      await connectHttp(server.url, { generation, ...token }),
    ];
    const cancelling = new AbortController();
    await startWaiting(one.client, 'waits', { signal: cancelling.signal }).isWaiting();
    const [first] = await runsOf(token.name);
    // Both clients number their requests from the same start, so this call has the same id.
    const ending = new AbortController();
    await startWaiting(other.client, 'waits', { signal: ending.signal }).isWaiting();
    cancelling.abort();
    const isCancelled = async () => (await runsOf(token.name)).find(({ run_id: id }) => id === first?.run_id)?.status;
    await expect.poll(isCancelled).toBe('cancelled');
    expect(await runsOf(token.name)).toMatchObject([{ status: 'running' }, { status: 'cancelled' }]);
    ending.abort();
    expect(await endOf(token.name)).toBe('cancelled');
  });

  test('cancels its run when the call times out in the client', async () => {
    const token = await server.token({ scopes: agentScopes });
    const { client } = await connectHttp(server.url, { generation, ...token });
    // On a busy machine, the client's timeout may pass before its run has started.
    do await expect(startWaiting(client, 'waits', { timeout: 1_000 }).called).rejects.toThrow();
    while ((await runsOf(token.name)).length === 0);
    expect(await endOf(token.name)).toBe('cancelled');
  });

  test('is told that a job is new', async () => {
    await using changing = await startServing({ jobs: { greet } });
    const { client } = await connectHttp(changing.url, { generation });
    let changes = 0;
    client.setNotificationHandler('notifications/tools/list_changed', () => {
      changes += 1;
    });
    await client.listTools();
    if (generation === '2026-07-28') await client.listen({ toolsListChanged: true });
    await changing.addJob('fresh', greet);
    await expect.poll(() => changes).toBe(1);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('job_fresh');
  });
});

test.each([
  ['2025-11-25', 'goes on with', 'naps', 'success'],
  ['2026-07-28', 'cancels', 'waits', 'cancelled'],
] as const)('a client of %s whose connection is lost %s its run', async (generation, _, job, status) => {
  const token = await server.token({ scopes: agentScopes });
  const { client } = await connectHttp(server.url, { generation, ...token });
  await startWaiting(client, job).isWaiting();
  await client.close();
  expect(await endOf(token.name)).toBe(status);
});

test('a job with `agents: {detach: true}` continues if a client of 2026 loses its connection', async () => {
  const token = await server.token({ scopes: agentScopes });
  const { client } = await connectHttp(server.url, token);
  await startWaiting(client, 'detached').isWaiting();
  await client.close();
  expect(await endOf(token.name)).toBe('success');
});

test('an agent sees no jobs of sources that are not trusted, unless the server allows it', async () => {
  const sources = [{ name: 'others', mountPath: 'others', trusted: false, jobs: { foreign: greet } }];
  await using plain = await startServing({ jobs: { greet }, sources });
  await using open = await startServing({ jobs: { greet }, sources, mcp: { isUntrustedAllowed: true } });
  const [cautious, curious] = [await connectHttp(plain.url), await connectHttp(open.url)];
  const names = async ({ client }: typeof cautious) =>
    (await client.listTools()).tools.map(({ name }) => name).filter((name) => name.startsWith('job_'));
  expect(await names(cautious)).toEqual(['job_greet']);
  expect(await names(curious)).toEqual(['job_greet', 'job_others_foreign']);
  const refused = await cautious.call('jobs_start', { job_id: 'others/foreign' });
  expect(textOf(refused)).toBe('There is no such job: jobs_search finds jobs.');
});

test('a client can read the skill for agents', async () => {
  const { client } = await connectHttp(server.url);
  const [skill] = (await client.listResources()).resources;
  const { contents } = await client.readResource({ uri: skill?.uri ?? '' });
  expect(contents).toMatchObject([{ text: expect.stringContaining('# Write, plan and test a job of flwd') }]);
});

test('when the server stops, the runs of its agents continue', async () => {
  const { dir, serve } = await createInstance({ waits });
  const { url, stop, json } = await serve();
  for (const generation of generations) {
    const { client } = await connectHttp(url, { generation });
    await startWaiting(client).isWaiting();
  }
  const ids = (await json<{ runs: RunAnswer[] }>('/runs')).runs.map(({ run_id: id }) => id);
  expect(ids.length).toBe(2);
  await stop();
  for (const id of ids) {
    const { stdout } = await flwd(dir, 'runs', id, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ status: 'running', cancel_requested_at: null });
  }
});

test('a client of 2025 continues after a restart of the server, and is told of a job that is new since then', async () => {
  const instance = await createInstance({ greet });
  let served = await instance.serve();
  const made = await served.fetch('/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'ci', scopes: agentScopes }),
  });
  const { token }: { token: string } = JSON.parse(await made.text());
  for (const headers of [{}, { authorization: `Bearer ${token}` }]) {
    const { client, transport, call } = await connectHttp(served.url, {
      generation: '2025-11-25',
      headers,
      // After its restart, the server listens on another port.
      fetch: (_, init) => fetch(new URL('/mcp', served.url), init),
      reconnectionOptions: {
        initialReconnectionDelay: 100,
        maxReconnectionDelay: 100,
        reconnectionDelayGrowFactor: 1,
        maxRetries: 6_000,
      },
    });
    let changes = 0;
    client.setNotificationHandler('notifications/tools/list_changed', () => {
      changes += 1;
    });
    await client.listTools();
    const { sessionId } = transport;
    await served.stop();
    const fresh = `fresh${Object.keys(headers).length}`;
    await writeJob(join(instance.dir, 'jobs', fresh), greet);
    served = await instance.serve();
    expect(textOf(await call('job_greet', { who: 'Ada' }))).toContain('success');
    expect(transport.sessionId).toBe(sessionId);
    await expect.poll(() => changes).toBe(1);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain(`job_${fresh}`);
    await client.close();
  }
  await served.stop();
});

test('each client of a caller is told of a change that happened while the client had no stream', async () => {
  await using changing = await startServing({ jobs: { greet } });
  const begin = async () => withNewId(await beginSession(changing.url));
  const listen = async (session: { 'mcp-session-id': string }) => {
    const ending = new AbortController();
    const headers = { ...session, accept: 'text/event-stream' };
    const stream = await fetch(new URL('/mcp', changing.url), { headers, signal: ending.signal });
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    return {
      heard: async () => {
        let read = await reader?.read();
        while (read && !read.done && !read.value.includes('"notifications/tools/list_changed"'))
          read = await reader?.read();
        expect(read?.done).toBe(false);
      },
      end: () => ending.abort(),
    };
  };
  // Both sessions begin again, and both send a request before they open a stream.
  const [one, other] = [await begin(), await begin()];
  for (const session of [one, other]) await (await post(changing.url, callTool('jobs_search'), session)).text();
  const first = await listen(one);
  await first.heard();
  const second = await listen(other);
  await second.heard();
  // One session has lost its stream when the job is added.
  second.end();
  await changing.addJob('fresh', greet);
  await first.heard();
  await (await listen(other)).heard();
});

const withNewId = ({ 'mcp-session-id': id }: { 'mcp-session-id': string }) => ({
  'mcp-session-id': id.replace(/^[^.]*/, crypto.randomUUID()),
});

describe('a session that is not in memory', () => {
  test('begins again only for its caller, with the rights that it began with', async () => {
    const [one, other] = [await server.token({ scopes: agentScopes }), await server.token({ scopes: agentScopes })];
    const narrow = { 'x-flwd-agent': 'jobs:read' };
    const session = withNewId(await beginSession(server.url, { ...one.headers, ...narrow }));
    for (const headers of [one.headers, other.headers, { ...other.headers, ...narrow }, narrow, {}])
      expect((await post(server.url, list, { ...session, ...headers })).status).toBe(404);
    const answer = await post(server.url, list, { ...session, ...one.headers, ...narrow });
    expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([200, session['mcp-session-id']]);
    expect(await answer.text()).not.toContain('"jobs_start"');
    await server.fetch(`/tokens/${one.id}`, { method: 'DELETE' });
    expect((await post(server.url, list, { ...withNewId(session), ...one.headers, ...narrow })).status).toBe(401);
  });

  test('begins again only once, even if requests arrive at the same moment', async () => {
    const nothing = (): void => undefined;
    const mcp = openHttpMcp({
      url: server.url,
      delegate: () => ({ credential: 'x', renew: nothing, end: nothing }),
      settings: { jobTools: 25, waitMs: 50_000, isUntrustedAllowed: false },
      version: '1.2.3',
      ensureStarted: nothing,
      onJobsChange: () => nothing,
      untrustedSources: [],
      nowMs: () => 0,
      idleMs: 60_000,
    });
    onTestFinished(() => mcp.close());
    const answers: Response[] = [];
    const send = async (answer: Response) => void answers.push(answer);
    const accept = 'application/json, text/event-stream';
    const ask = (headers: Record<string, string>, body?: object) =>
      mcp.answer(
        new Request('http://localhost/mcp', { method: body ? 'POST' : 'GET', headers: { accept, ...headers } }),
        body,
        { principal: localPrincipal, send },
      );
    await ask({ 'content-type': 'application/json' }, initialize);
    const lost = withNewId({ 'mcp-session-id': answers.pop()?.headers.get('mcp-session-id') ?? '' });
    await Promise.all([ask(lost), ask(lost)]);
    // A session may have only one stream of this kind, so the second request is refused.
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });

  test('does not begin again after its client has ended it', async () => {
    const session = await beginSession(server.url);
    expect((await server.fetch('//mcp', { method: 'DELETE', headers: session })).status).toBe(200);
    expect((await post(server.url, list, session)).status).toBe(404);
  });

  test.each(['x', `${crypto.randomUUID()}.`, '../../x'])('does not begin if its id is %j', async (id) => {
    expect((await post(server.url, list, { 'mcp-session-id': id })).status).toBe(404);
  });

  test('is replaced by a new one if the client begins with its id', async () => {
    const old = withNewId(await beginSession(server.url));
    const answer = await post(server.url, initialize, old);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('mcp-session-id')).not.toBe(old['mcp-session-id']);
    await answer.text();
  });

  test('does not begin for a version that the server does not speak', async () => {
    const session = withNewId(await beginSession(server.url));
    expect((await post(server.url, list, { ...session, 'mcp-protocol-version': '1999-01-01' })).status).toBe(400);
  });
});

test('a session belongs to its token, and is not found with another token', async () => {
  const [one, other] = [await server.token({ scopes: ['jobs:read'] }), await server.token()];
  const session = await beginSession(server.url, one.headers);
  expect((await post(server.url, list, { ...session, ...one.headers })).status).toBe(200);
  const never = await post(server.url, list, { 'mcp-session-id': 'x', ...other.headers });
  const theirs = await post(server.url, list, { ...session, ...other.headers });
  expect([theirs.status, await theirs.text()]).toEqual([404, await never.text()]);
  expect((await post(server.url, list, session)).status).toBe(404);
  const ended = await server.fetch('//mcp', { method: 'DELETE', headers: { ...session, ...other.headers } });
  expect(ended.status).toBe(404);
  expect((await post(server.url, list, { ...session, ...one.headers })).status).toBe(200);
});

test('a new token with the name of a revoked token does not get the sessions of the revoked one', async () => {
  const old = await server.token({ name: 'again' });
  const session = await beginSession(server.url, old.headers);
  await server.fetch(`/tokens/${old.id}`, { method: 'DELETE' });
  const { headers } = await server.token({ name: 'again' });
  expect((await post(server.url, list, { ...session, ...headers })).status).toBe(404);
});

test('a session continues however the authorization header is spelled', async () => {
  const { credential } = await server.token();
  const session = await beginSession(server.url, { authorization: `Bearer ${credential}` });
  const again = await post(server.url, list, { ...session, authorization: `bearer   ${credential}` });
  expect(again.status).toBe(200);
});

test('a caller that has narrowed its rights does not get them back through another session of its own', async () => {
  const narrow = { 'x-flwd-agent': 'jobs:read' };
  const [wide, own] = [await beginSession(server.url), await beginSession(server.url, narrow)];
  expect((await post(server.url, list, { ...wide, ...narrow })).status).toBe(404);
  expect(await (await post(server.url, list, wide)).text()).toContain('"jobs_start"');
  expect(await (await post(server.url, list, { ...own, ...narrow })).text()).not.toContain('"jobs_start"');
});

test('a revoked token loses its sessions and streams, and a waiting call returns nothing more', async () => {
  // The call ends before the server checks whether its stream may continue, which happens every 15 seconds.
  await using short = await startServing({ executes: true, jobs: { waits }, mcp: { waitMs: 8_000 } });
  const { id, headers } = await short.token({ scopes: agentScopes });
  const { client, call } = await connectHttp(short.url, { generation: '2025-11-25', headers });
  const session = await beginSession(short.url, headers);
  const stream = await short.fetch('//mcp', { headers: { accept: 'text/event-stream', ...session, ...headers } });
  expect(stream.status).toBe(200);
  const { called, isWaiting } = startWaiting(client);
  await isWaiting();
  await short.fetch(`/tokens/${id}`, { method: 'DELETE' });
  await expect(call('runs_list')).rejects.toThrow();
  const answer = textOf(await called);
  expect(answer).toContain('could not be read: The credential is not valid.');
  expect(answer).not.toContain('waiting for the file');
  await stream.text();
});

test.skipIf(process.getuid?.() !== 0)('another user of the machine needs a token', async () => {
  const session = await beginSession(server.url);
  const { headers } = await server.token();
  const asNobody = async (more: Readonly<Record<string, string>>): Promise<number> => {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...more },
      body: JSON.stringify(more['mcp-session-id'] === undefined ? initialize : list),
    };
    const script = `fetch('${server.url}/mcp', ${JSON.stringify(init)}).then(({status}) => console.log(status))`;
    const child = spawn(process.execPath, ['-e', script], {
      uid: 65534,
      gid: 65534,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    onTestFinished(() => void child.kill());
    const [output] = await once(child.stdout, 'data');
    return Number(output);
  };
  expect(await asNobody({})).toBe(401);
  expect(await asNobody(session)).toBe(401);
  expect(await asNobody({ ...session, ...headers })).toBe(404);
  expect(await asNobody(headers)).toBe(200);
});
