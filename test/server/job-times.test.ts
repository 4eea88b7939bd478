import { expect, test } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

testWith('bwrap')(
  'the times of a job say how long its steps worked, without the time that approvals took',
  async () => {
    const steps = [
      { id: 'build', command: './run.sh' },
      { id: 'ask', approval: { text: 'Go on?' }, needs: ['build'] },
      { id: 'check', command: './run.sh', needs: ['ask'], matrix: { node: [22, 24] } },
    ];
    await using server = await startServing({
      executes: true,
      jobs: { 'shop/release': bash('sleep 0.2', { command: undefined, steps }) },
    });
    const { run_id: runId } = JSON.parse(await (await server.post('/runs', { job_id: 'shop/release' })).text());
    const runOf = async () => JSON.parse(await (await server.fetch(`/runs/${runId}`)).text());
    await expect.poll(async () => (await runOf()).waiting).toMatch(/approval/);
    await server.post(`/runs/${runId}/approvals`, { step_id: 'ask', decision: 'approve' });
    await expect.poll(async () => (await runOf()).status).toBe('success');

    const times = JSON.parse(await (await server.fetch('/stats/times?job_id=shop%2Frelease')).text());

    expect(times).toMatchObject({ job_id: 'shop/release', more: false, runs: [{ run_id: runId, status: 'success' }] });
    const { started_at: startedAt, finished_at: finishedAt, steps: ran } = await runOf();
    const spanMs = (one: { started_at: string; finished_at: string }): number =>
      Date.parse(one.finished_at) - Date.parse(one.started_at);
    const waitedMs = spanMs(ran.find(({ step_id: id }: { step_id: string }) => id === 'ask'));
    expect(times.runs[0].work_ms).toBeGreaterThanOrEqual(400);
    expect(times.runs[0].work_ms).toBeLessThanOrEqual(Date.parse(finishedAt) - Date.parse(startedAt) - waitedMs);
    expect(times.steps.map((step: object) => ({ ...step, median_ms: 0, p95_ms: 0 }))).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ step_id: 'build', slowest_instance: null, instances: 1, runs: 1 }),
        expect.objectContaining({ step_id: 'check', slowest_instance: expect.stringMatching(/^check/), instances: 2 }),
      ]),
    );
  },
);

test('a caller sees only the times of its own tenant', async () => {
  await using server = await startServing({ authMode: 'required', jobs: { shared: bash('true') } });
  for (const tenant of ['acme', 'beta']) {
    const run = await server.addRun({ jobId: 'shared', tenant });
    await run.move('claim');
    await run.finish();
  }
  const acme = await server.token({ tenant: 'acme', scopes: ['runs:read'] });
  const path = '/stats/times?job_id=shared';
  expect(JSON.parse(await (await server.fetch(path, { headers: acme.headers })).text()).runs).toHaveLength(1);
  const jobsOnly = await server.token({ scopes: ['jobs:read'] });
  expect((await server.fetch(path, { headers: jobsOnly.headers })).status).toBe(403);
  expect((await server.fetch('/stats/times', { headers: acme.headers })).status).toBe(400);
});
