import { expect, test } from 'vitest';
import { script, steps } from '../engine/step-jobs.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

test('the last line of a run and its log say where to find the lines of its sub-runs', async () => {
  const { dir } = await createInstance({
    target: bash('echo uploads'),
    ships: steps(
      { steps: [script('build'), { id: 'ship', job: 'target', needs: ['build'] }] },
      { build: 'echo built' },
    ),
  });
  const ran = await flwd(dir, 'run', 'ships');
  expect(ran.code).toBe(0);
  expect(ran.stdout).toContain('built');
  const [, child = ''] = /^ship ran another job: flwd logs (run_\w+)/m.exec(ran.stderr) ?? [];
  expect((await flwd(dir, 'logs', child)).stdout).toBe('uploads\n');

  const [, parent = ''] = /^(run_\w+): flwd runs/m.exec(ran.stderr) ?? [];
  const whole = await flwd(dir, 'logs', parent);
  expect(whole).toMatchObject({ code: 0, stdout: 'build | built\n' });
  expect(whole.stderr).toContain(`ship ran another job: flwd logs ${child}`);
  // The lines of a step that runs another job are those of the sub-run.
  expect(await flwd(dir, 'logs', parent, '--step', 'ship')).toMatchObject({ code: 0, stdout: 'uploads\n', stderr: '' });
});
