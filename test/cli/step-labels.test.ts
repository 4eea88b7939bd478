// How commands label the instances of a `foreach` step.

import { expect, test } from 'vitest';
import { steps } from '../engine/step-jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const jobs = {
  roll: steps({
    steps: [
      { id: 'build', command: ['echo', 'built'] },
      {
        id: 'deploy',
        needs: ['build'],
        foreach: '["db1.fra", "db2.fra", "db3-with-a-name-of-more-than-forty-characters.fra"]',
        command: ['bash', '-c', 'echo "to $FLWD_ITEM"; [[ $FLWD_ITEM != db2.fra ]]'],
      },
    ],
  }),
};

test('every command shows the item of an instance beside its id, and --step takes the id', async () => {
  const { dir } = await createInstance(jobs);
  const log = [
    'build | built',
    'deploy[0] (db1.fra) | to db1.fra',
    'deploy[1] (db2.fra) | to db2.fra',
    'deploy[2] | to db3-with-a-name-of-more-than-forty-characters.fra',
  ];
  const linesOf = (text: string): string[] => text.trimEnd().split('\n').toSorted();

  const ran = await flwd(dir, 'run', 'roll', '--verbose');
  expect(linesOf(ran.stdout)).toEqual(log);
  expect(ran.stderr).toContain('deploy[1] (db2.fra) ended: failed\n');
  expect(ran.stderr).toMatch(/^failed in [\d.]+ m?s: deploy\[1\] \(db2\.fra\): exited with code 1/m);

  expect(linesOf((await flwd(dir, 'logs', 'roll')).stdout)).toEqual(log);
  expect((await flwd(dir, 'logs', 'roll', '--step', 'deploy[1]')).stdout).toBe('to db2.fra\n');
  expect(await flwd(dir, 'logs', 'roll', '--step', 'biuld')).toMatchObject({
    code: 3,
    stdout: '',
    stderr: expect.stringMatching(/^run_\w+ has no step `biuld`; did you mean `build`\?$/m),
  });
  expect(await flwd(dir, 'logs', 'roll', '--step', 'deploy[3]')).toMatchObject({ code: 3, stdout: '' });
  const shown = (await flwd(dir, 'runs', 'roll')).stdout;
  expect(shown).toMatch(/^error +deploy\[1\] \(db2\.fra\): exited with code 1/m);
  expect(shown).toMatch(/^deploy\[0\] \(db1\.fra\) +success +1 /m);
  expect(shown).toMatch(/^deploy\[1\] \(db2\.fra\) +failed +1 /m);
  expect(shown).toMatch(/^deploy\[2\] +success +1 /m);
});

test('the last line of a run names the failed steps that the job allows to fail', async () => {
  const { dir } = await createInstance({
    night: steps({
      steps: [
        { id: 'ping', command: ['false'], continue_on_error: true },
        { id: 'save', needs: ['ping'], command: ['true'] },
      ],
    }),
  });
  expect(await flwd(dir, 'run', 'night')).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^success in [\d.]+ m?s; ping failed, which the job allows$/m),
  });
});
