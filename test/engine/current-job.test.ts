// A run that is created right after the job has changed, before the catalog has noticed: its config.yaml and its
// scripts are of the same revision of the job.

import { renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { bash, writeJob } from '../support/jobs.ts';
import { caller, dataFolder, openEngine, testOnSqlite as test } from './an-engine.ts';

/** Points the folder of jobs to another version of all jobs, as many programs for deployment do. */
function deploy(root: string, version: string): void {
  symlinkSync(version, join(root, 'jobs.new'));
  renameSync(join(root, 'jobs.new'), join(root, 'jobs'));
}

async function deployed() {
  const root = dataFolder();
  for (const version of ['v1', 'v2']) {
    await writeJob(join(root, version, 'told'), bash(`echo $CONFIG ${version}`, { env: { CONFIG: version } }));
    await writeJob(join(root, version, 'parent'), {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'wait', script: './wait.sh' },
          { id: 'child', job: 'told', needs: ['wait'] },
        ],
      }),
      'wait.sh': '#!/bin/bash\nuntil [[ -e go ]]; do sleep 0.01; done\n',
    });
  }
  deploy(root, 'v1');
  return { root, opened: await openEngine(root, { watch: true }) };
}

test('a new run has the config.yaml and the scripts of the same revision', async () => {
  const { root, opened } = await deployed();
  for (const version of ['v2', 'v1', 'v2', 'v1']) {
    deploy(root, version);
    const { run_id: id } = await opened.finished(await opened.create('told'));
    expect(await opened.messages(id)).toEqual([`${version} ${version}`]);
  }
});

test('a rerun takes the config.yaml and the scripts of the newest revision', async () => {
  const { root, opened } = await deployed();
  const first = await opened.create('told');
  await opened.finished(first);
  deploy(root, 'v2');
  const { runId } = await opened.engine.rerun(first, { revision: 'latest' }, caller);
  await opened.finished(runId);
  expect(await opened.messages(runId)).toEqual(['v2 v2']);
});

test('a sub-run has the config.yaml and the scripts of the same revision', async () => {
  const { root, opened } = await deployed();
  const parent = await opened.create('parent');
  await opened.when(parent, ({ steps }) => steps.some(({ status }) => status === 'running'));
  deploy(root, 'v2');
  await writeJob(join(root, 'data/runs', parent, 'workspace'), { go: '' });
  const { steps } = await opened.finished(parent);
  const child = steps.find(({ step_id: id }) => id === 'child')?.child_run_id ?? '';
  expect(await opened.messages(child)).toEqual(['v2 v2']);
});

test('the check of a trigger has the config.yaml and the script of the same revision', async () => {
  const root = dataFolder();
  for (const version of ['v1', 'v2'])
    await writeJob(join(root, version, 'checks'), {
      ...bash('true', {
        argspec: { type: 'object', properties: { told: { type: 'string' } } },
        env: { CONFIG: version },
        triggers: [{ check: './check.sh', every: '5s', args: { told: 'check.result' } }],
      }),
      'check.sh': `flwd_result "\\"$CONFIG ${version}\\""\n`,
    });
  deploy(root, 'v1');
  const { store } = await openEngine(root, { watch: true, beforeStart: () => deploy(root, 'v2') });
  const started = async () => (await store.runs.list({ jobId: 'checks', limit: 10 })).runs.at(-1)?.args_text;
  await expect.poll(started).toBeTypeOf('string');
  expect(await started()).toBe('told="v2 v2"');
});

test('a run of a job whose .flwdignore leaves out its config.yaml has scripts of the same revision, too', async () => {
  const root = dataFolder();
  const of = (told: string) => ({
    'config.d/config.yaml': JSON.stringify({ command: ['bash', './run.sh'], env: { CONFIG: told } }),
    'run.sh': 'ls $FLWD_JOB_DIR; echo $CONFIG\n',
  });
  for (const version of ['v1', 'v2']) {
    await writeJob(join(root, version), { '.flwdignore': '*.yaml\n' });
    await writeJob(join(root, version, 'told'), of(version));
  }
  deploy(root, 'v1');
  const opened = await openEngine(root, { watch: true });
  for (const version of ['v2', 'v1']) {
    deploy(root, version);
    const { run_id: id } = await opened.finished(await opened.create('told'));
    expect(await opened.messages(id)).toEqual(['run.sh', version]);
  }
});
