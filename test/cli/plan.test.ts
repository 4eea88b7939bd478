import { expect, test } from 'vitest';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

test('a plan shows when, how often and how long each step runs, with sizes in readable units', async () => {
  const config = {
    permissions: { resources: { memory: '1536MiB' } },
    steps: [
      { id: 'build', command: ['true'], matrix: { node: [22, 24] }, retry: { limit: 2 }, timeout: '10m' },
      { id: 'ship', command: ['true'], needs: ['build'], if: 'steps.build.status == "success"', retry: { limit: 1 } },
      { id: 'tidy', command: ['true'], needs: ['ship'], always: true, foreach: '["a", "b"]' },
    ],
  };
  const { dir } = await createInstance({ release: { 'config.yaml': JSON.stringify(config) } });
  const { stdout, code } = await flwd(dir, 'plan', 'release');
  expect(code).toBe(0);
  expect(stdout).toContain(
    [
      'steps      build; once for each combination of {"node":[22,24]}; retried 2 times; for at most 10m',
      '           ship after build; if steps.build.status == "success"; retried once',
      '           tidy after ship; once for each item of ["a", "b"]; always',
      '',
    ].join('\n'),
  );
  expect(stdout).toMatch(/^limits .*memory 1\.5GiB/m);
});

test('a plan names the channels of the job that flwd.yaml does not have', async () => {
  const config = { command: ['true'], notify: [{ channel: 'team' }] };
  const { dir } = await createInstance({ backup: { 'config.yaml': JSON.stringify(config) } });
  const { stderr, code } = await flwd(dir, 'plan', 'backup');
  expect(code).toBe(0);
  expect(stderr).toContain("warning: flwd.yaml has no channel 'team', which the job notifies");
});
