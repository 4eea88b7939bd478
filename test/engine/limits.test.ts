// Limits as readers of a run see them: what was in force, and what ended a run that wanted more.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { closeLimitHost, openLimitHost } from '../../src/exec/host/limit-host.ts';
import { bash, python } from '../support/jobs.ts';
import { caller, dataFolder, openEngine } from './an-engine.ts';

const place = mkdtempSync(join(tmpdir(), 'flwd-limits-'));
const limitHost = openLimitHost(place);
afterAll(() => {
  closeLimitHost(limitHost);
  rmSync(place, { recursive: true });
});
const hasCgroups = 'dir' in limitHost.memory;
/** Needs a memory cgroup that the server may create. In CI these tests always run, and fail without one. */
const testWithCgroups = test.skipIf(!hasCgroups && !process.env.CI);

const resources = { memory: '64MiB', pids: 64, cpu: 1, workspace: '8MiB' };
const permissions = { resources };

testWithCgroups('a run out of memory says so and how much it had, and no other run suffers', async () => {
  const { create, finished, messages } = await openEngine(dataFolder(), {
    jobs: {
      bomb: python('b = []\nwhile True: b.append(bytearray(4194304))', { permissions }),
      patient: bash('echo held; sleep 3; echo unharmed'),
    },
    limitHost,
  });
  const patient = await create('patient');
  await expect.poll(() => messages(patient)).toEqual(['held']);
  expect(await finished(await create('bomb'))).toMatchObject({
    status: 'failed',
    reason: 'out_of_memory',
    error: { message: 'needed more than its 64 MiB of memory', step_id: 'step_01' },
    limits: {
      log_bytes: 1_073_741_824,
      memory: { bytes: 67_108_864, by: limitHost.memory.by },
      pids: { count: 64, by: limitHost.pids.by },
      cpu: { cores: 1, by: limitHost.cpu.by },
      workspace: { bytes: 8_388_608, by: 'polling' },
    },
  });
  expect(await finished(patient)).toMatchObject({ status: 'success' });
  expect(await messages(patient)).toEqual(['held', 'unharmed']);
});

test('a workspace that grows beyond its limit ends the run, which reports the size', async () => {
  const script = 'while :; do head -c 1048576 /dev/zero > "$RANDOM$RANDOM"; sleep 0.02; done';
  const { create, finished } = await openEngine(dataFolder(), { jobs: { hoard: bash(script, { permissions }) } });
  const run = await finished(await create('hoard'));
  expect(run).toMatchObject({ status: 'failed', reason: 'quota_exceeded' });
  expect(run.error?.message).toMatch(
    /^its workspace grew to [\d.]+ MiB or more, [\d.]+ (MiB|KiB) over its limit of 8 MiB$/,
  );
  expect(run.termination).toMatchObject({ remaining: 0 });
});

test('the limits of the instance apply to jobs that ask for no limits, and no job may ask for more', async () => {
  const { engine } = await openEngine(dataFolder(), {
    jobs: {
      silent: bash(':'),
      modest: bash(':', { permissions: { resources: { pids: 8 } } }),
      greedy: bash(':', { permissions: { resources: { memory: '2GiB' } } }),
    },
    resources: { pids: 100, memoryBytes: 2 ** 30 },
  });
  const plan = (job_id: string) => engine.plan({ job_id }, caller);
  expect(await plan('silent')).toMatchObject({
    denied: null,
    limits: {
      cpu: null,
      memory: { bytes: 1_073_741_824, by: 'none' },
      pids: { count: 100, by: 'none' },
      workspace: null,
    },
  });
  expect(await plan('modest')).toMatchObject({ denied: null, limits: { pids: { count: 8 } } });
  expect(await plan('greedy')).toMatchObject({
    denied: {
      type: 'https://flowd.org/problems/grant-not-allowed',
      detail:
        'The job asks for memory of 2GiB in permissions.resources, but security.profiles.secure.resources.memory is 1GiB.',
    },
  });
});

testWithCgroups('without any configured limit, a run gets three quarters of the host’s memory', async () => {
  const { engine } = await openEngine(dataFolder(), { jobs: { silent: bash(':') }, limitHost });
  const { limits } = await engine.plan({ job_id: 'silent' }, caller);
  expect(limits.memory?.bytes).toBeGreaterThan(2 ** 28);
  expect(limits.memory?.by).toBe(limitHost.memory.by);
});
