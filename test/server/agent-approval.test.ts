// Runs of agents that wait for a person before any of their steps start (ADR 0067).

import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { script, steps } from '../engine/step-jobs.ts';
import { bash, type JobFiles } from '../support/jobs.ts';
import { startServing, type TestToken } from './serving.ts';

const agents = { approval: true };
const server = await startServing({
  executes: true,
  jobs: {
    asked: bash('echo "it ran"; echo \'{"n": 1}\' > "$FLWD_RESULT_FILE"', { agents }),
    plain: bash('echo "it ran"'),
    graph: steps(
      {
        agents,
        steps: [
          script('agent_approval'),
          script('second', { needs: ['agent_approval'] }),
          script('cleanup', { needs: ['second'], always: true }),
        ],
      },
      { agent_approval: 'echo ran', second: 'echo ran', cleanup: 'echo ran' },
    ),
    caught: bash('true', { agents, schedules: [{ cron: '0 * * * *', catch_up: 'all' }] }),
    single: bash('sleep 20', { agents, concurrency: { limit: 1, on_conflict: 'cancel_running' } }),
    followed: bash('true', { agents }),
    follower: bash('true', { triggers: [{ job: 'followed', on: ['failed', 'cancelled', 'success'] }] }),
    own: steps({ steps: [{ id: 'ok', approval: { text: 'Go on?', not_by_starter: true } }] }),
    keyed: bash('test -n "$key" && test -n "$other"', {
      argspec: {
        type: 'object',
        properties: {
          key: { type: 'string', format: 'secret', default: { secret: 'usual' } },
          other: { type: 'string', format: 'secret', default: { secret: 'usual' } },
          data: { type: 'object' },
        },
      },
    }),
  },
});
afterAll(() => server.close());

type Run = AnswerOf<'getRun'>;
const json = async <T>(response: Response): Promise<T> => JSON.parse(await response.text());
const get = async <T>(path: string, by: TestToken = person) =>
  json<T>(await server.fetch(path, { headers: by.headers }));
const startBy = async (by: TestToken, body: object) => json<Run>(await server.post('/runs', body, by.headers));
const stepsOf = (run: Run) => run.steps.map(({ step_id: id, status }) => [id, status]);
const until = (runId: string, is: (run: Run) => boolean) =>
  vi.waitFor(
    async () => {
      const run = await get<Run>(`/runs/${runId}`);
      expect(is(run), JSON.stringify(run.steps)).toBe(true);
      return run;
    },
    { interval: 25, timeout: 60_000 },
  );
const waits = (runId: string) => until(runId, (run) => run.waiting_approval.length > 0);
const ends = (runId: string) => until(runId, (run) => run.finished_at !== null);
const answer = (runId: string, decision: 'approve' | 'deny', by = person, step = 'agent_approval') =>
  server.post(`/runs/${runId}/approvals`, { step_id: step, decision }, by.headers);

let agent: TestToken;
let person: TestToken;
beforeAll(async () => {
  agent = await server.token({ name: 'claude', scopes: ['jobs:read', 'runs:write', 'schedules:write'], agent: true });
  person = await server.token({ name: 'ada', scopes: ['admin'] });
});

describe('a run of an agent, if the job requires an approval', () => {
  test('waits for a person before its only step, and then runs as usual', async () => {
    const { run_id: runId } = await startBy(agent, { job_id: 'asked' });
    const waiting = await waits(runId);
    expect(stepsOf(waiting)).toEqual([
      ['agent_approval', 'waiting_approval'],
      ['step_01', 'pending'],
    ]);
    expect(waiting).toMatchObject({ created_by: 'claude', status: 'running' });
    expect(await get('/approvals')).toMatchObject({
      approvals: [{ run_id: runId, step_id: 'agent_approval', not_by_starter: true, may_answer: true }],
    });
    expect((await answer(runId, 'approve')).status).toBe(200);
    expect(await ends(runId)).toMatchObject({ status: 'success', result: { value: { n: 1 } } });
  });

  test('starts nothing if it is denied, not even `always` steps', async () => {
    const { run_id: runId } = await startBy(agent, { job_id: 'graph' });
    await until(runId, (run) => run.waiting_approval[0]?.step_id === 'agent_approval_');
    expect((await answer(runId, 'deny', person, 'agent_approval_')).status).toBe(200);
    const run = await ends(runId);
    expect(run).toMatchObject({ status: 'failed', reason: 'approval_denied', error: { message: 'denied by ada' } });
    expect(stepsOf(run)).toEqual([
      ['agent_approval_', 'failed'],
      ['agent_approval', 'skipped'],
      ['second', 'skipped'],
      ['cleanup', 'skipped'],
    ]);
    expect(await get(`/runs/${runId}/logs`)).toMatchObject({ logs: [] });
  });

  test('is marked in its plan, but needs no approval if a person starts it', async () => {
    const plan = async (by: TestToken) =>
      (await json<AnswerOf<'createPlan'>>(await server.post('/plans', { job_id: 'asked' }, by.headers))).steps;
    expect(await plan(agent)).toEqual([
      { step_id: 'agent_approval', needs: [] },
      { step_id: 'step_01', needs: ['agent_approval'] },
    ]);
    expect(await plan(person)).toEqual([{ step_id: 'step_01', needs: [] }]);
    const { run_id: runId } = await startBy(person, { job_id: 'asked' });
    expect(stepsOf(await ends(runId))).toEqual([['step_01', 'success']]);
    const { run_id: plain } = await startBy(agent, { job_id: 'plain' });
    expect(stepsOf(await ends(plain))).toEqual([['step_01', 'success']]);
  });

  test('also needs an approval if the header of agents is sent with a person’s token', async () => {
    const headers = { ...person.headers, 'x-flwd-agent': 'runs:write' };
    const { run_id: runId } = await json<Run>(await server.post('/runs', { job_id: 'asked' }, headers));
    expect(await waits(runId)).toMatchObject({ created_by: 'mcp:ada' });
    // The agent used the token of this person, so the person may not approve with the same token.
    expect((await answer(runId, 'approve')).status).toBe(403);
    const other = await server.token({ scopes: ['runs:approve'] });
    expect((await answer(runId, 'approve', other)).status).toBe(200);
  });

  test('needs another approval if the agent reruns it, but not if a person does', async () => {
    const first = await startBy(agent, { job_id: 'graph' });
    await waits(first.run_id);
    await answer(first.run_id, 'deny', person, 'agent_approval_');
    await ends(first.run_id);
    const again = async (by: TestToken, from: object | string) =>
      json<Run>(await server.post(`/runs/${first.run_id}/rerun`, { from }, by.headers));
    for (const from of ['start', 'failed']) {
      const mine = await again(agent, from);
      expect((await waits(mine.run_id)).steps).toHaveLength(4);
      await answer(mine.run_id, 'approve', person, 'agent_approval_');
      const theirs = await again(person, from);
      expect((await ends(theirs.run_id)).steps).toHaveLength(3);
      // A rerun keeps only the author's steps, not the approval, even from a run that was approved.
      await ends(mine.run_id);
      const { run_id: rest } = await json<Run>(
        await server.post(`/runs/${mine.run_id}/rerun`, { from: { step: 'second' } }, agent.headers),
      );
      expect(stepsOf(await waits(rest))).toContainEqual(['agent_approval', 'success']);
      await answer(rest, 'approve', person, 'agent_approval_');
      expect(await ends(rest)).toMatchObject({ status: 'success' });
    }
  });
});

/** Starts a server whose clock the test sets forward. */
async function startLater(jobs: Readonly<Record<string, JobFiles>>) {
  let aheadMs = 0;
  const { now, monotonicMs } = systemClock;
  const clock = { now: () => now() + aheadMs, monotonicMs: () => monotonicMs() + aheadMs };
  const later = await startServing({ executes: true, clock, jobs });
  onTestFinished(() => later.close());
  const asAgent = { 'x-flwd-agent': 'runs:write' };
  const read = async (runId: string) => json<Run>(await later.fetch(`/runs/${runId}`));
  return {
    goAhead(ms: number): void {
      aheadMs += ms;
    },
    start: async (body: object) => (await json<Run>(await later.post('/runs', body))).run_id,
    async startAndWait(body: object): Promise<string> {
      const { run_id: runId } = await json<Run>(await later.post('/runs', body, asAgent));
      await expect.poll(async () => (await read(runId)).waiting_approval).toHaveLength(1);
      return runId;
    },
    async approve(runId: string): Promise<void> {
      const body = { step_id: 'agent_approval', decision: 'approve' };
      expect((await later.post(`/runs/${runId}/approvals`, body)).status).toBe(200);
    },
    step: (runId: string) => expect.poll(async () => (await read(runId)).steps.at(-1)?.status),
    async ended(runId: string): Promise<Run> {
      await expect.poll(async () => (await read(runId)).finished_at).not.toBeNull();
      return read(runId);
    },
  };
}

test('the run time of an approved run begins with its approval', async () => {
  const argspec = { type: 'object', properties: { n: { type: 'integer' } } };
  const later = await startLater({ slow: bash('sleep "$n"', { agents, timeouts: { run: '1m' }, argspec }) });
  const quick = await later.startAndWait({ job_id: 'slow', args: { n: 0 } });
  const late = await later.startAndWait({ job_id: 'slow', args: { n: 300 } });
  const unasked = await later.start({ job_id: 'slow', args: { n: 300 } });
  const outOfTime = { status: 'failed', reason: 'timeout' };
  await later.step(unasked).toBe('running');
  later.goAhead(120_000);
  expect(await later.ended(unasked)).toMatchObject(outOfTime);
  for (const runId of [quick, late]) await later.approve(runId);
  expect(await later.ended(quick)).toMatchObject({ status: 'success' });
  await later.step(late).toBe('running');
  later.goAhead(120_000);
  expect(await later.ended(late)).toMatchObject(outOfTime);
});

test('a run that nobody has answered for a day starts nothing, not even `always` steps', async () => {
  const graph = steps({ agents, steps: [script('cleanup', { always: true })] }, { cleanup: 'echo ran' });
  const later = await startLater({ graph });
  const runId = await later.startAndWait({ job_id: 'graph' });
  later.goAhead(86_400_000);
  const run = await later.ended(runId);
  expect(run).toMatchObject({ status: 'failed', reason: 'timeout' });
  expect(stepsOf(run)).toEqual([
    ['agent_approval', 'failed'],
    ['cleanup', 'skipped'],
  ]);
});

describe('a run that nobody has approved', () => {
  test('ends no other run of its job', async () => {
    const theirs = await startBy(person, { job_id: 'single' });
    await until(theirs.run_id, (run) => run.status === 'running');
    const mine = await startBy(agent, { job_id: 'single' });
    expect(await get(`/runs/${mine.run_id}`)).toMatchObject({ status: 'pending' });
    expect(await get(`/runs/${theirs.run_id}`)).toMatchObject({ status: 'running', cancel_requested_at: null });
    await server.post(`/runs/${mine.run_id}/cancel`, {}, agent.headers);
    await server.post(`/runs/${theirs.run_id}/cancel?force=true`, {}, person.headers);
  });

  test('fires no triggers, whether it is cancelled or denied', async () => {
    const followers = () => get<AnswerOf<'listRuns'>>('/runs?job_id=follower');
    const cancelled = await startBy(agent, { job_id: 'followed' });
    await waits(cancelled.run_id);
    await server.fetch(`/runs/${cancelled.run_id}/cancel`, { method: 'POST', headers: agent.headers });
    const denied = await startBy(agent, { job_id: 'followed' });
    await waits(denied.run_id);
    await answer(denied.run_id, 'deny');
    await ends(denied.run_id);
    // Triggers read the journal in order, so once this run has been followed, the earlier runs have been handled.
    const allowed = await startBy(person, { job_id: 'followed' });
    await expect.poll(async () => (await followers()).total).toBeGreaterThan(0);
    const { runs } = await followers();
    expect(runs).toHaveLength(1);
    const run = await get<Run>(`/runs/${runs[0]?.run_id}`);
    expect(run.trigger).toMatchObject({ run_id: allowed.run_id });
  });
});

describe('the caller who started the run', () => {
  test('cannot approve it with the token that acted as an agent or created the webhook', async () => {
    const scopes = ['runs:write', 'runs:approve', 'schedules:write'] as const;
    const careful = await server.token({ scopes, approval: 'always' });
    const asAgent = { ...careful.headers, 'x-flwd-agent': 'runs:write' };
    const { run_id: asMcp } = await json<Run>(await server.post('/runs', { job_id: 'plain' }, asAgent));
    const { hook } = await json<{ hook: string }>(await server.post('/webhooks', { job_id: 'plain' }, careful.headers));
    const type = { 'content-type': 'application/json' };
    const delivered = await server.fetch(`/${hook}`, { method: 'POST', body: '{}', headers: type });
    const { run_id: byHook } = await json<Run>(delivered);
    const { run_id: ownStep } = await json<Run>(await server.post('/runs', { job_id: 'own' }, asAgent));
    for (const runId of [asMcp, byHook, ownStep]) {
      await waits(runId);
      expect((await answer(runId, 'approve', careful)).status, runId).toBe(403);
      const { approvals } = await get<AnswerOf<'listApprovals'>>('/approvals', careful);
      expect(approvals.find((one) => one.run_id === runId)).toMatchObject({ may_answer: false, not_by_starter: true });
      expect(JSON.stringify(approvals)).not.toContain(careful.id);
      await answer(runId, 'deny');
    }
  });

  test('cannot approve it if every run of the token must wait', async () => {
    const careful = await server.token({ scopes: ['runs:write', 'runs:approve'], approval: 'always' });
    const { run_id: runId } = await startBy(careful, { job_id: 'plain' });
    await waits(runId);
    const refused = await answer(runId, 'approve', careful);
    expect(await json(refused)).toMatchObject({
      status: 403,
      detail: expect.stringContaining('started this run, so somebody else must answer'),
    });
    const list = await get<AnswerOf<'listApprovals'>>('/approvals', careful);
    expect(list.approvals.find((one) => one.run_id === runId)).toMatchObject({ may_answer: false });
    expect((await answer(runId, 'approve')).status).toBe(200);
    expect(await ends(runId)).toMatchObject({ status: 'success' });
  });

  test('cannot approve it if the job says so', async () => {
    const { run_id: runId } = await startBy(person, { job_id: 'own' });
    await waits(runId);
    expect((await answer(runId, 'approve', person, 'ok')).status).toBe(403);
    const other = await server.token({ scopes: ['runs:approve'] });
    expect((await answer(runId, 'approve', other, 'ok')).status).toBe(200);
  });
});

describe('a schedule of an agent', () => {
  const once = (inMs: number) => ({ job_id: 'asked', at: new Date(Date.now() + inMs).toISOString() });
  /** On a busy machine, the time may have passed when the server reads the request. */
  const makeBy = (by: TestToken, inMs: number) =>
    vi.waitFor(
      async () => {
        const made = await server.post('/schedules', once(inMs), by.headers);
        expect(made.status).toBe(201);
        return (await json<{ id: string }>(made)).id;
      },
      { timeout: 60_000 },
    );
  const firstRunsOf = (id: string) =>
    vi.waitFor(
      async () => {
        const { runs } = await runsOf(id);
        expect(runs).toHaveLength(1);
        return runs.map(({ run_id: runId }) => runId);
      },
      { interval: 100, timeout: 60_000 },
    );
  const runsOf = (id: string) => get<AnswerOf<'listRuns'>>(`/runs?label=schedule_id=${id}`);

  test('starts runs that wait for a person', async () => {
    const id = await makeBy(agent, 2_500);
    const [runId = ''] = await firstRunsOf(id);
    expect((await waits(runId)).created_by).toBe(`schedule:${id}`);
    await answer(runId, 'deny');
  });

  test('belongs to the agent until somebody else changes it, and the agent cannot change other schedules', async () => {
    const [own, theirs] = [await makeBy(agent, 60_000), await makeBy(person, 60_000)];
    const put = (id: string, by: TestToken, inMs: number) =>
      server.fetch(`/schedules/${id}`, {
        method: 'PUT',
        headers: { ...by.headers, 'content-type': 'application/json' },
        body: JSON.stringify(once(inMs)),
      });
    const denied = { status: 403, type: expect.stringMatching(/denied$/) };
    expect(await json(await put(theirs, agent, 60_000))).toMatchObject(denied);
    await expect.poll(async () => (await put(own, person, 2_500)).status).toBe(200);
    const [runId = ''] = await firstRunsOf(own);
    expect(stepsOf(await ends(runId))).toEqual([['step_01', 'success']]);
  });

  test('does not make up for missed times when it is released', async () => {
    const { schedules } = await get<AnswerOf<'listSchedules'>>('/schedules?job_id=caught&source=job');
    const id = schedules[0]?.id ?? '';
    const release = (by: TestToken, body: object) => server.post(`/schedules/${id}/release`, body, by.headers);
    expect((await server.post(`/schedules/${id}/hold`, {}, agent.headers)).status).toBe(200);
    expect((await release(agent, { after: '2026-01-01T00:00:00Z' })).status).toBe(403);
    expect((await release(agent, {})).status).toBe(200);
    expect(await runsOf(id)).toMatchObject({ total: 0 });
  });

  test('cannot name a stored secret that its token may not name', async () => {
    const limited = await server.token({ scopes: ['schedules:write'], only: ['keyed'] });
    const body = { job_id: 'keyed', cron: '@daily', args: { key: { secret: 'other' } } };
    for (const path of ['/schedules', '/schedules/preview'])
      expect((await server.post(path, body, limited.headers)).status, path).toBe(403);
  });

  test('starts nothing after its token has been revoked', async () => {
    const gone = await server.token({ scopes: ['runs:write', 'schedules:write'], agent: true });
    const id = await makeBy(gone, 4_000);
    expect((await server.fetch(`/tokens/${gone.id}`, { method: 'DELETE', headers: person.headers })).status).toBe(204);
    const { last_error: error } = await vi.waitFor(
      async () => {
        const schedule = await get<AnswerOf<'getSchedule'>>(`/schedules/${id}`);
        expect(schedule.last_error).not.toBeNull();
        return schedule;
      },
      { interval: 100, timeout: 60_000 },
    );
    expect(error).toMatchObject({ detail: expect.stringContaining(`'${gone.name}' that created it is revoked`) });
    expect(await runsOf(id)).toMatchObject({ total: 0 });
    expect(await get(`/schedules/${id}`)).toMatchObject({ denied: { detail: expect.stringContaining('revoked') } });
  });
});

describe('a webhook of an agent', () => {
  type Made = { readonly id: string; readonly hook: string };
  const makeBy = async (by: TestToken, body: object) => server.post('/webhooks', body, by.headers);
  const deliver = (hook: string) => server.fetch(`/${hook}`, { method: 'POST', body: '{}', headers: type });
  const type = { 'content-type': 'application/json' };

  test('starts runs that wait for a person, and no run after its token has been revoked', async () => {
    const gone = await server.token({ scopes: ['schedules:write'], agent: true });
    const { id, hook } = await json<Made>(await makeBy(gone, { job_id: 'asked' }));
    const { run_id: runId } = await json<Run>(await deliver(hook));
    expect(stepsOf(await waits(runId))[0]).toEqual(['agent_approval', 'waiting_approval']);
    expect((await server.fetch(`/tokens/${gone.id}`, { method: 'DELETE', headers: person.headers })).status).toBe(204);
    expect((await deliver(hook)).status).toBe(404);
    expect(await get(`/webhooks/${id}`)).toMatchObject({
      denied: { detail: expect.stringContaining(`'${gone.name}' that created it is revoked`) },
    });
    await answer(runId, 'deny');
  });

  test('can be tested within the limits of its token, and the test says that a person is asked', async () => {
    const limited = await server.token({ scopes: ['schedules:write'], only: ['asked', 'plain'], agent: true });
    const asked = await json<Made>(await makeBy(limited, { job_id: 'asked' }));
    const ofPerson = await json<Made>(await makeBy(person, { job_id: 'asked' }));
    const plain = await json<Made>(await makeBy(limited, { job_id: 'plain' }));
    const tryIt = async ({ id }: Made) => json(await server.post(`/webhooks/${id}/test`, {}, person.headers));
    expect(await tryIt(asked)).toMatchObject({ result: 'starts', asks_person: true });
    expect(await tryIt(ofPerson)).toMatchObject({ result: 'starts', asks_person: false });
    expect(await tryIt(plain)).toMatchObject({ result: 'starts', asks_person: false });
    await server.fetch(`/tokens/${limited.id}`, { method: 'DELETE', headers: person.headers });
    expect(await tryIt(asked)).toMatchObject({
      result: 'refused',
      asks_person: false,
      problem: 'permission-denied',
      detail: expect.stringContaining('is revoked'),
    });
  });

  test('cannot name a stored secret that its token may not name', async () => {
    const limited = await server.token({ scopes: ['schedules:write'], only: ['plain'] });
    const signed = { job_id: 'plain', scheme: 'hmac', secret: 'anything' };
    expect(await json(await makeBy(limited, signed))).toMatchObject({ status: 403 });
    expect((await makeBy(limited, { job_id: 'asked' })).status).toBe(404);
    expect((await makeBy(limited, { job_id: 'plain' })).status).toBe(201);
  });
});

test('a token that is limited to jobs may name only its own stored secrets and those that the job names', async () => {
  for (const name of ['usual', 'given', 'other']) {
    const init = {
      method: 'PUT',
      body: '{"value":"xxxx"}',
      headers: { ...person.headers, 'content-type': 'application/json' },
    };
    expect((await server.fetch(`/secrets/${name}`, init)).status).toBe(201);
  }
  const scopes = ['runs:write'] as const;
  const none = await server.token({ scopes, only: ['keyed'] });
  const some = await server.token({ scopes, only: ['keyed'], secrets: ['given'] });
  const tryBy = async (by: TestToken, secret?: string) => {
    const args = secret === undefined ? {} : { key: { secret } };
    return (await server.post('/runs', { job_id: 'keyed', args }, by.headers)).status;
  };
  expect([await tryBy(none), await tryBy(none, 'usual'), await tryBy(none, 'given')]).toEqual([201, 201, 403]);
  expect([await tryBy(some), await tryBy(some, 'given'), await tryBy(some, 'other')]).toEqual([201, 201, 403]);
  // An argument that is not a secret may have the same form.
  const data = { data: { secret: 'other' } };
  expect((await server.post('/runs', { job_id: 'keyed', args: data }, none.headers)).status).toBe(201);
  // The answer is the same if the secret does not exist.
  expect(await tryBy(none, 'nothing')).toBe(403);
  const theirs = await startBy(person, { job_id: 'keyed', args: { key: { secret: 'other' } } });
  await ends(theirs.run_id);
  for (const body of [{}, { args: { other: { secret: 'usual' } } }, { revision: 'latest' }])
    expect((await server.post(`/runs/${theirs.run_id}/rerun`, body, some.headers)).status).toBe(403);
});
