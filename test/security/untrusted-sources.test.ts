// What the jobs of an untrusted source cannot do, tried by somebody who may write only into that source. Also tests
// which key of the source allows each of these (ADR 0065).

import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import type { SourceUse } from '../../src/domain/policy.ts';
import { steps } from '../engine/step-jobs.ts';
import { type ServingOptions, startServing } from '../server/serving.ts';
import type { ProblemAnswer, RunAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash, type JobFiles, writeJob } from '../support/jobs.ts';
import { startReceiver } from '../support/receiver.ts';

const test = testWith('bwrap');

const argspec = { type: 'object', properties: { token: { type: 'string', format: 'secret' } } };
const tokenFrom = (secret: string) => ({
  type: 'object',
  properties: { token: { type: 'string', format: 'secret', default: { secret } } },
});
/** Prints the secret in a form that redaction does not recognize. */
const leak = 'rev < "$FLWD_SECRETS_DIR/token"';
const nothing: SourceUse = {
  secrets: [],
  schedules: false,
  webhooks: false,
  notify: false,
  calls: 'own',
  triggers: 'own',
  kv: [],
};
const yearly = '0 0 1 1 *';
const receiver = 'http://127.0.0.1:9/hook';

/**
 * Starts a server with a trusted source, the untrusted source `ext` mounted at `ext`, and a second untrusted source at
 * `other`.
 */
function serve(
  jobs: Readonly<Record<string, JobFiles>>,
  o: ServingOptions & { readonly mayUse?: Partial<SourceUse>; readonly trusted?: boolean } = {},
) {
  const { mayUse, trusted = false, ...more } = o;
  return startServing({
    executes: true,
    ...more,
    jobs: {
      prod: bash('echo "prod ran"'),
      takesToken: bash(leak, { argspec }),
      ...o.jobs,
    },
    sources: [
      { name: 'ext', mountPath: 'ext', trusted, ...(!trusted && { mayUse: { ...nothing, ...mayUse } }), jobs },
      { name: 'other', mountPath: 'other', trusted: false, jobs: { theirs: bash('echo "theirs ran"') } },
      ...(o.sources ?? []),
    ],
  });
}

type Served = Awaited<ReturnType<typeof serve>>;

async function refused(answer: Response): Promise<string> {
  const problem: ProblemAnswer = JSON.parse(await answer.text());
  expect([answer.status, problem.type]).toEqual([403, 'https://flowd.org/problems/source-untrusted']);
  return problem.detail ?? '';
}

/** Requests a run and a plan of the same run, and expects both to be refused alike. */
async function refusedRun(server: Served, jobId: string, args?: unknown): Promise<string> {
  const body = { job_id: jobId, args };
  const detail = await refused(await server.post('/runs', body));
  const plan = JSON.parse(await (await server.post('/plans', body)).text());
  expect(plan.denied).toEqual({ type: 'https://flowd.org/problems/source-untrusted', detail });
  return detail;
}

async function run(server: Served, jobId: string, args?: unknown): Promise<RunAnswer> {
  const answer = await server.post('/runs', { job_id: jobId, args, async: false });
  const text = await answer.text();
  expect([answer.status, text]).toEqual([201, expect.any(String)]);
  return JSON.parse(text);
}

async function logOf(server: Served, runId: string): Promise<string> {
  return (await server.fetch(`/runs/${runId}/logs`)).text();
}

async function putSecret(server: Served, name: string, value: string): Promise<void> {
  const answer = await server.fetch(`/secrets/${name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ value }),
  });
  expect(answer.ok).toBe(true);
}

describe('for an untrusted source, stored secrets', async () => {
  const jobs = {
    byDefault: bash(leak, { argspec: tokenFrom('prod-key') }),
    byEnv: bash('rev <<< "$TOKEN"', { env: { TOKEN: { secret: 'prod-key' } } }),
    absent: bash(leak, { argspec: tokenFrom('no-such-key') }),
    takes: bash(leak, { argspec }),
    own: bash(leak, { argspec: tokenFrom('ext-key') }),
    chain: steps({ steps: [{ id: 'a', job: 'ext/takes', args: { token: { secret: 'prod-key' } } }] }),
  };
  const callers = {
    hands: steps({ steps: [{ id: 'a', job: 'ext/takes', args: { token: { secret: 'prod-key' } } }] }),
    handsOwn: steps({
      argspec: tokenFrom('prod-key'),
      steps: [{ id: 'a', job: 'ext/takes', args: { token: { from: '"x" + args.token' } } }],
    }),
    handsAll: steps({
      argspec: tokenFrom('prod-key'),
      steps: [{ id: 'a', job: 'ext/takes', args: { token: { from: 'string(args["tok" + "en"])' } } }],
    }),
    starts: steps({ steps: [{ id: 'a', job: 'ext/byDefault' }] }),
    deep: steps({ steps: [{ id: 'a', job: 'starts' }] }),
  };
  const server = await serve(jobs, { jobs: callers, mayUse: { secrets: ['ext-key'] } });
  afterAll(() => server.close());
  await putSecret(server, 'prod-key', 'prod secret value');
  await putSecret(server, 'ext-key', 'ext secret value');
  const wanted = (job: string, name = 'prod-key') =>
    `The job '${job}' would get the stored secret '${name}', but its source 'ext' is not trusted: ` +
    `add '${name}' to the \`secrets\` of the source in flwd.yaml, and restart the server.`;

  test.for([
    ['the default of an argument', 'ext/byDefault', 'ext/byDefault'],
    ['its environment', 'ext/byEnv', 'ext/byEnv'],
    ['a step that starts another job of the source', 'ext/chain', 'ext/takes'],
  ] as const)('are not given to a job by %s', async ([, job, gets]) => {
    expect(await refusedRun(server, job)).toBe(wanted(gets));
  });

  test('are not given to a job if a caller names one, and the answer does not say whether it exists', async () => {
    expect(await refusedRun(server, 'ext/takes', { token: { secret: 'prod-key' } })).toBe(wanted('ext/takes'));
    expect(await refusedRun(server, 'ext/takes', { token: { secret: 'nope' } })).toBe(wanted('ext/takes', 'nope'));
    expect(await refusedRun(server, 'ext/absent')).toBe(wanted('ext/absent', 'no-such-key'));
  });

  test.for(['hands', 'handsOwn', 'handsAll'] as const)('are not passed on by a trusted job: %s', async (job) => {
    expect(await refusedRun(server, job)).toBe(wanted('ext/takes'));
  });

  test('are not available through a trusted job that starts the untrusted one', async () => {
    expect(await refusedRun(server, 'starts')).toBe(wanted('ext/byDefault'));
    expect(await refusedRun(server, 'deep')).toBe(wanted('ext/byDefault'));
  });

  test('are given if `secrets` lists them, and text that a caller enters needs no permission', async () => {
    const own = await run(server, 'ext/own');
    expect(own).toMatchObject({ status: 'success' });
    expect(await logOf(server, own.run_id)).toContain('eulav terces txe');
    const text = await run(server, 'ext/takes', { token: 'given by hand' });
    expect(await logOf(server, text.run_id)).toContain('dnah yb nevig');
  });

  test('are refused with an entry in the audit log, and no run is stored', async () => {
    await refusedRun(server, 'ext/byEnv');
    const audit = async () => (await server.fetch('/audit?action=run.create&limit=50')).text();
    await expect.poll(audit).toContain('"reason":"source-untrusted"');
    const { total } = JSON.parse(await (await server.fetch('/runs?job_id=ext/byEnv')).text());
    expect(total).toBe(0);
  });
});

describe('for an untrusted source, runs of other sources', async () => {
  const calls = (job: string) => steps({ steps: [{ id: 'a', job }] });
  const jobs = {
    takesOver: calls('prod'),
    sideways: calls('other/theirs'),
    friendly: calls('ext/mine'),
    mine: bash('echo "mine ran"'),
    viaAlias: calls('nightly'),
  };
  const aliases = [{ from: 'prod', to: 'nightly' }];
  const wanted = (called: string, source: string, job: string) =>
    `The job 'ext/${job}' starts '${called}' of the source '${source}', but its source 'ext' is not trusted: ` +
    `add '${source}' to the \`calls\` of the source in flwd.yaml, and restart the server.`;

  test('are not started by its steps, but runs of its own jobs are', async () => {
    await using server = await serve(jobs, { aliases, jobs: { outer: calls('ext/takesOver') } });
    expect(await refusedRun(server, 'ext/takesOver')).toBe(wanted('prod', 'local-fs', 'takesOver'));
    expect(await refusedRun(server, 'ext/viaAlias')).toBe(wanted('prod', 'local-fs', 'viaAlias'));
    expect(await refusedRun(server, 'ext/sideways')).toBe(wanted('other/theirs', 'other', 'sideways'));
    expect(await refusedRun(server, 'outer')).toBe(wanted('prod', 'local-fs', 'takesOver'));
    expect(await run(server, 'ext/friendly')).toMatchObject({ status: 'success' });
  });

  test('can be started with `calls`', async () => {
    await using named = await serve(jobs, { aliases, mayUse: { calls: ['other'] } });
    expect(await refusedRun(named, 'ext/takesOver')).toContain("starts 'prod'");
    expect(await run(named, 'ext/sideways')).toMatchObject({ status: 'success' });
    expect(await run(named, 'ext/friendly')).toMatchObject({ status: 'success' });
    await using all = await serve(jobs, { aliases, mayUse: { calls: 'all' } });
    expect(await run(all, 'ext/takesOver')).toMatchObject({ status: 'success' });
  });

  test('are not started even if the job of a step changes after the run was created', async () => {
    const target = bash('echo "harmless"');
    const change = steps({
      steps: [
        { id: 'ask', approval: { text: 'go on?' } },
        { id: 'then', job: 'ext/target', needs: ['ask'] },
      ],
    });
    await using server = await serve({ change, target });
    const job = async (id: string) => (await server.fetch(`/jobs/${id}`)).text();
    const { run_id: id } = JSON.parse(await (await server.post('/runs', { job_id: 'ext/change' })).text());
    await writeJob(join(server.root, 'jobs', 'ext', 'target'), bash('echo "trusted ran"'));
    await expect.poll(() => job('ext%2Ftarget')).toContain('"local-fs"');
    const approval = { step_id: 'ask', decision: 'approve' };
    await expect.poll(async () => (await server.post(`/runs/${id}/approvals`, approval)).status).toBe(200);
    const ended = async () => JSON.parse(await (await server.fetch(`/runs/${id}`)).text());
    await expect.poll(async () => (await ended()).finished_at).not.toBeNull();
    expect((await ended()).status).toBe('failed');
    expect(JSON.stringify(await ended())).toContain("starts 'ext/target' of the source 'local-fs'");
  });
});

describe('for an untrusted source, triggers', () => {
  const follows = (job: string) =>
    bash('echo "$FLWD_ARG_SEEN"', {
      argspec: { type: 'object', properties: { seen: { type: 'string' } } },
      triggers: [{ job, args: { seen: 'run.status' } }],
    });
  const jobs = { spy: follows('prod'), next: follows('ext/first'), first: bash('true') };
  const count = async (server: Served, id: string) =>
    JSON.parse(await (await server.fetch(`/runs?job_id=${id}`)).text()).total;

  test('follow jobs of the source itself, and other jobs only if the source lists them', async () => {
    await using server = await serve(jobs);
    await server.post('/runs', { job_id: 'prod', async: false });
    await server.post('/runs', { job_id: 'ext/first', async: false });
    await expect.poll(() => count(server, 'ext/next')).toBe(1);
    expect(await count(server, 'ext/spy')).toBe(0);
    const { triggers } = JSON.parse(await (await server.fetch('/triggers?job_id=ext/spy')).text());
    const detail =
      "The job 'ext/spy' has a trigger that follows 'prod' of the source 'local-fs', but its source 'ext' is not " +
      "trusted: add 'local-fs' to the `triggers` of the source in flwd.yaml, and restart the server.";
    expect(triggers).toMatchObject([{ denied: { detail }, last_result: { result: 'refused', detail } }]);

    await using named = await serve(jobs, { mayUse: { triggers: ['local-fs'] } });
    await named.post('/runs', { job_id: 'prod', async: false });
    await expect.poll(() => count(named, 'ext/spy')).toBe(1);
  });
});

describe('for an untrusted source, schedules', async () => {
  const scheduled = bash('true', { schedules: [{ cron: yearly }] });
  const detail =
    "The job 'ext/scheduled' has a schedule, but its source 'ext' is not trusted: " +
    'set `schedules: true` for the source in flwd.yaml, and restart the server.';
  const list = async (server: Served) =>
    JSON.parse(await (await server.fetch('/schedules')).text()).schedules.filter(
      (one: { job_id: string }) => one.job_id === 'ext/scheduled',
    );

  test('of a config.yaml are listed with the reason why they start nothing, even after they are released', async () => {
    await using server = await serve({ scheduled });
    await expect.poll(() => list(server)).toHaveLength(1);
    const [one] = await list(server);
    const denied = { type: 'https://flowd.org/problems/source-untrusted', detail };
    expect(one).toMatchObject({ enabled: true, held: false, denied, next_fires: [] });
    expect((await server.post(`/schedules/${one.id}/hold`, {})).status).toBe(200);
    const released = JSON.parse(await (await server.post(`/schedules/${one.id}/release`, {})).text());
    expect(released).toMatchObject({ held: false, denied, next_fires: [] });
    const until = new Date(Date.now() + 30 * 86_400_000).toISOString();
    const fires = JSON.parse(await (await server.fetch(`/schedules/fires?until=${until}`)).text());
    expect(fires.fires).toEqual([]);
  });

  test('do not make up for missed times after they are released', async () => {
    const often = bash('true', { schedules: [{ cron: '* * * * *', catch_up: 'last' }] });
    await using server = await serve({ scheduled: often }, { jobs: { first: often, second: often } });
    const all = async () => JSON.parse(await (await server.fetch('/schedules')).text()).schedules;
    const count = async (id: string) => JSON.parse(await (await server.fetch(`/runs?job_id=${id}`)).text()).total;
    const after = new Date(Date.now() - 3_600_000).toISOString();
    const release = async (id: string) => {
      const one = (await all()).find(({ job_id: jobId }: { job_id: string }) => jobId === id);
      expect((await server.post(`/schedules/${one.id}/release`, { after })).status).toBe(200);
    };
    await release('ext/scheduled');
    // Wait until the clock has ticked twice.
    for (const id of ['first', 'second']) {
      await release(id);
      await expect.poll(() => count(id)).toBeGreaterThan(0);
    }
    expect(await count('ext/scheduled')).toBe(0);
  });

  test('cannot be created through the API either, but the job can be run by hand', async () => {
    await using server = await serve({ scheduled });
    const body = { job_id: 'ext/scheduled', cron: yearly };
    expect(await refused(await server.post('/schedules', body))).toBe(detail);
    expect(await refused(await server.post('/schedules/preview', body))).toBe(detail);
    expect(await run(server, 'ext/scheduled')).toMatchObject({ status: 'success' });
  });

  test('do not fire when the server starts', async () => {
    await using server = await serve(
      { scheduled: bash('true', { schedules: [{ cron: '@reboot' }] }) },
      {
        jobs: { sentinel: bash('true', { schedules: [{ cron: '@reboot' }] }) },
      },
    );
    const count = async (id: string) => JSON.parse(await (await server.fetch(`/runs?job_id=${id}`)).text()).total;
    await expect.poll(() => count('sentinel')).toBe(1);
    expect(await count('ext/scheduled')).toBe(0);
  });

  test('can fire with `schedules: true`', async () => {
    await using server = await serve({ scheduled }, { mayUse: { schedules: true } });
    await expect.poll(() => list(server)).toHaveLength(1);
    const [one] = await list(server);
    expect(one).toMatchObject({ denied: null, next_fires: [{}, {}, {}] });
    expect((await server.post('/schedules', { job_id: 'ext/scheduled', cron: yearly })).status).toBe(201);
  });
});

describe('for an untrusted source, webhooks', async () => {
  const hooked = bash('true', { webhooks: [{ name: 'push', scheme: 'gitlab', secret: 'hook-key' }] });
  const deliver = (server: Served, token: string) =>
    server.fetch('//hooks/ext/hooked/push', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-gitlab-token': token },
      body: '{}',
    });
  const wanted = (fix: string) =>
    `The job 'ext/hooked' has a webhook, but its source 'ext' is not trusted: ${fix} the source in flwd.yaml, and restart the server.`;

  test.for([
    ['the source has no webhooks', {}, 'set `webhooks: true` for'],
    ['it may not use their key', { webhooks: true }, "add the webhook's `secret` to the `secrets` of"],
  ] as const)('start nothing and reveal nothing about their key if %s', async ([, mayUse, fix]) => {
    await using server = await serve({ hooked }, { mayUse });
    await putSecret(server, 'hook-key', 'the-key-of-the-hook');
    for (const token of ['the-key-of-the-hook', 'a guess']) {
      const answer = await deliver(server, token);
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ detail: 'There is no webhook at this address.' });
    }
    const { webhooks } = JSON.parse(await (await server.fetch('/webhooks')).text());
    expect(webhooks).toMatchObject([{ denied: { detail: wanted(fix) } }]);
    const { total } = JSON.parse(await (await server.fetch('/runs?job_id=ext/hooked')).text());
    expect(total).toBe(0);
  });

  test('can start runs with `webhooks: true` and their key in `secrets`', async () => {
    await using server = await serve({ hooked }, { mayUse: { webhooks: true, secrets: ['hook-key'] } });
    await putSecret(server, 'hook-key', 'the-key-of-the-hook');
    expect(await (await deliver(server, 'a guess')).text()).toContain('problems/signature-invalid');
    expect((await deliver(server, 'the-key-of-the-hook')).status).toBe(202);
  });
});

describe('for an untrusted source, notifications', async () => {
  const calls = (webhook: string) => bash('true', { notify: { on: ['success'], webhook } });

  test('are not sent, and a run that asks for them is refused, even as a sub-run', async () => {
    const outer = steps({ steps: [{ id: 'a', job: 'ext/calls' }] });
    await using server = await serve({ calls: calls(receiver) }, { jobs: { outer } });
    const detail =
      "The job 'ext/calls' sends notifications (notify), but its source 'ext' is not trusted: " +
      'set `notify: true` for the source in flwd.yaml, and restart the server.';
    expect(await refusedRun(server, 'ext/calls')).toBe(detail);
    expect(await refusedRun(server, 'outer')).toBe(detail);
  });

  test('can be sent with `notify: true`', async () => {
    await using server = await serve({ calls: calls((await startReceiver()).url) }, { mayUse: { notify: true } });
    expect(await run(server, 'ext/calls')).toMatchObject({ status: 'success' });
  });
});

describe('for an untrusted source, the key-value store', async () => {
  const reads = (namespace: string, more: Readonly<Record<string, unknown>> = {}) =>
    bash(`flwd_kv_set mine 1; flwd_kv_get --namespace ${namespace} k || true`, more);
  const asks = reads('prod', { permissions: { kv: { read: ['prod'] } } });
  const put = (server: Served) =>
    server.fetch('/kv/prod/keys/k', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ value: 'value of prod' }),
    });

  test('contains only the namespace of the job', async () => {
    await using server = await serve({ asks, quiet: reads('prod') });
    await put(server);
    expect(await refusedRun(server, 'ext/asks')).toBe(
      "The job 'ext/asks' asks for the namespace 'prod' of the key-value store, but its source 'ext' is not trusted: " +
        "add 'prod' to the `kv` of the source in flwd.yaml, and restart the server.",
    );
    const { run_id: id } = await run(server, 'ext/quiet');
    expect(await logOf(server, id)).not.toContain('value of prod');
  });

  test('contains the namespaces that `kv` lists, if the profile may be granted them', async () => {
    await using server = await serve({ asks }, { mayUse: { kv: ['prod'] } });
    const plan = JSON.parse(await (await server.post('/plans', { job_id: 'ext/asks' })).text());
    expect(plan.denied?.detail).toContain("may_grant does not list 'kv'");
  });
});

describe('the id of a job', async () => {
  test('stays with the trusted job, even if that job is invalid', async () => {
    await using server = await serve(
      { deploy: bash('echo "of the enemy"'), broken: bash('echo "of the enemy"') },
      { jobs: { 'ext/deploy': bash('echo "trusted"'), 'ext/broken': { 'config.yaml': 'command: [' } } },
    );
    const { run_id: id } = await run(server, 'ext/deploy');
    expect(await logOf(server, id)).toContain('"trusted"');
    const { invalid } = JSON.parse(await (await server.fetch('/jobs')).text());
    expect(invalid).toMatchObject([
      { id: 'ext/broken', source: 'ext' },
      { id: 'ext/broken', source: 'local-fs' },
      {
        id: 'ext/deploy',
        source: 'ext',
        errors: [
          {
            message:
              'ext/deploy/config.yaml in the source local-fs has the same id ext/deploy, ' +
              'so this job, whose source is not trusted, cannot run',
          },
        ],
      },
    ]);
    expect((await server.post('/runs', { job_id: 'ext/broken' })).status).toBe(422);
  });

  test('that is an alias of a trusted job belongs to that job, not to an untrusted one', async () => {
    const aliases = [{ from: 'prod', to: 'ext/nightly' }];
    await using server = await serve({ nightly: bash('echo "of the enemy"') }, { aliases });
    const { run_id: id } = await run(server, 'ext/nightly');
    expect(await logOf(server, id)).toContain('prod ran');
  });
});
