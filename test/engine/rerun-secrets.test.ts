// Which secrets a rerun reuses: a secret that one person gave is not passed to something that another person has
// chosen.

import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Principal } from '../../src/domain/principal.ts';
import type { Run } from '../../src/domain/run.ts';
import type { Caller } from '../../src/engine/create.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { dataFolder, type Opened, openEngine } from './an-engine.ts';
import { script, steps } from './step-jobs.ts';

const secret = { type: 'string', format: 'secret' };
const argspec = { type: 'object', properties: { token: secret, other: secret, to: { type: 'string' } } };
/** Prints its secret in a form that redaction does not know. */
const sends = 'echo "$(rev < "$FLWD_SECRETS_DIR/token")"; echo "to $to"';
const sent = (text: string): string => text.split('').toReversed().join('');

function by(name: string): Caller {
  const principal: Principal = { kind: 'token', name, scopes: ['runs:write', 'secrets:write'], tenant: 'default' };
  return { principal, trigger: 'api', requestId: 'req_1' };
}

const anns = { token: 'the-token-of-ann', to: 'registry' };

async function started({ engine, finished }: Opened, jobId: string, args: object, name = 'ann'): Promise<Run> {
  const request = { job_id: jobId, args: JSON.parse(JSON.stringify(args)) };
  return finished((await engine.createRun(request, by(name))).runId);
}

type Request = Parameters<Opened['engine']['rerun']>[1];

async function again({ engine, finished }: Opened, run: Run, name: string, request: Request = {}): Promise<Run> {
  return finished((await engine.rerun(run.run_id, request, by(name))).runId);
}

function refusal(pointer: string, ...more: string[]): object {
  const errors = [pointer, ...more].map((at) => ({ pointer: at, keyword: 'secret' }));
  return { slug: 'validation-error', members: { errors } };
}

describe('in a rerun of a job with a secret argument', () => {
  const jobs = { sends: bash(sends, { argspec }) };

  test('another caller may reuse the secret if nothing else changes', async () => {
    const opened = await openEngine(dataFolder(), { jobs });
    const run = await started(opened, 'sends', anns);
    for (const request of [{}, { args: {} }, { args: { to: 'registry' } }]) {
      const next = await again(opened, run, 'bob', request);
      expect(await opened.messages(next.run_id)).toContain(sent(anns.token));
    }
  });

  test('another caller must give a secret of their own to change where it goes or what is done with it', async () => {
    const root = dataFolder();
    const opened = await openEngine(root, { jobs });
    const run = await started(opened, 'sends', anns);
    for (const request of [
      { args: { to: 'elsewhere' } },
      { args: { other: 'another-secret' } },
      { revision: 'latest' },
    ] satisfies Request[]) {
      const asked = opened.engine.rerun(run.run_id, JSON.parse(JSON.stringify(request)), by('bob'));
      await expect(asked).rejects.toMatchObject(refusal('/args/token'));
      await expect(asked).rejects.toThrow(
        '/args/token: must be given again, as a text or as {"secret": name}: only \'ann\', who gave this secret, may reuse it with other arguments or another revision',
      );
    }
    const next = await again(opened, run, 'bob', { args: { to: 'elsewhere', token: 'the-token-of-bob' } });
    expect(await opened.messages(next.run_id)).toEqual([sent('the-token-of-bob'), 'to elsewhere']);
    // From then on the secret is bob's.
    const third = await again(opened, next, 'bob', { args: { to: 'anywhere' } });
    expect(await opened.messages(third.run_id)).toContain('to anywhere');
    await expect(opened.engine.rerun(next.run_id, { args: { to: 'registry' } }, by('ann'))).rejects.toMatchObject(
      refusal('/args/token'),
    );
  });

  test('another caller who has rerun the job in between does not own the secret either', async () => {
    const opened = await openEngine(dataFolder(), { jobs });
    const run = await started(opened, 'sends', { ...anns, other: 'a-second-one' });
    const bobs = await again(opened, await again(opened, run, 'bob'), 'bob');
    await expect(opened.engine.rerun(bobs.run_id, { args: { to: 'bob' } }, by('bob'))).rejects.toMatchObject(
      refusal('/args/token', '/args/other'),
    );
    const back = await again(opened, bobs, 'ann', { args: { to: 'ann' } });
    expect(await opened.messages(back.run_id)).toContain(sent(anns.token));
  });

  test('the person who gave the secret may change everything else', async () => {
    const opened = await openEngine(dataFolder(), { jobs });
    const run = await started(opened, 'sends', anns);
    for (const request of [{ args: { to: 'elsewhere' } }, { revision: 'latest' }] satisfies Request[]) {
      const next = await again(opened, run, 'ann', request);
      expect(await opened.messages(next.run_id)).toContain(sent(anns.token));
    }
  });

  test('when arguments change a stored secret is read again, and anyone in the tenant may use it', async () => {
    const opened = await openEngine(dataFolder(), { jobs });
    await opened.engine.secrets.put(
      { tenant: 'default', name: 'shared', value: 'the-first-shared' },
      by('ann').principal,
    );
    const run = await started(opened, 'sends', { token: { secret: 'shared' }, to: 'registry' });
    const same = await again(opened, run, 'ann');
    await opened.engine.secrets.put(
      { tenant: 'default', name: 'shared', value: 'the-second-shared' },
      by('ann').principal,
    );
    for (const from of [run, same]) {
      const next = await again(opened, from, 'bob', { args: { to: 'elsewhere' } });
      expect(await opened.messages(next.run_id)).toContain(sent('the-second-shared'));
      expect(await opened.messages((await again(opened, from, 'bob')).run_id)).toContain(sent('the-first-shared'));
    }
  });

  test('a revision in which the argument is no longer a secret does not get the secret, even for its owner', async () => {
    const root = dataFolder();
    const opened = await openEngine(root, { jobs });
    const run = await started(opened, 'sends', anns);
    await opened.close();
    const open = { ...argspec, properties: { ...argspec.properties, token: { type: 'string' } } };
    await writeJob(join(root, 'jobs', 'sends'), bash('echo "$token"', { argspec: open }));
    const next = await openEngine(root);
    await expect(next.engine.rerun(run.run_id, { revision: 'latest' }, by('ann'))).rejects.toMatchObject(
      refusal('/args/token'),
    );
  });
});

test('another caller cannot reuse the outputs that steps made from a secret either', async () => {
  const jobs = {
    two: steps(
      { argspec, steps: [script('login'), script('use', { needs: ['login'] })] },
      {
        login: 'flwd_output session "sid=$(cat "$FLWD_SECRETS_DIR/token")"',
        use: 'echo "$FLWD_STEP_LOGIN_SESSION" | rev',
      },
    ),
  };
  const opened = await openEngine(dataFolder(), { jobs });
  const run = await started(opened, 'two', anns);
  const args = { to: 'bob', token: 'the-token-of-bob' };
  const from = { step: 'use' };
  await expect(opened.engine.rerun(run.run_id, { from, args }, by('bob'))).rejects.toMatchObject(refusal('/from'));
  expect(await opened.messages((await again(opened, run, 'bob', { args })).run_id)).toEqual([
    sent('sid=the-token-of-bob'),
  ]);
  expect(await opened.messages((await again(opened, run, 'bob', { from })).run_id)).toEqual([
    sent(`sid=${anns.token}`),
  ]);
});

test('the secrets of a sub-run belong to the person who gave those of its parent', async () => {
  const jobs = {
    sends: bash(sends, { argspec }),
    parent: steps({
      argspec,
      steps: [{ id: 'child', job: 'sends', args: { token: { from: 'args.token' }, to: 'registry' } }],
    }),
  };
  const opened = await openEngine(dataFolder(), { jobs });
  const run = await again(opened, await started(opened, 'parent', anns), 'bob');
  const child = await opened.finished(String(run.steps[0]?.child_run_id));
  expect(await opened.messages(child.run_id)).toContain(sent(anns.token));
  await expect(opened.engine.rerun(child.run_id, { args: { to: 'bob' } }, by('bob'))).rejects.toMatchObject(
    refusal('/args/token'),
  );
});
