import { expect, test } from 'vitest';
import { script, steps } from '../engine/step-jobs.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

test('the end of a run and its log say where the lines of its sub-runs are', async () => {
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
  // A step that runs another job has that run's lines.
  expect(await flwd(dir, 'logs', parent, '--step', 'ship')).toMatchObject({ code: 0, stdout: 'uploads\n', stderr: '' });
});
