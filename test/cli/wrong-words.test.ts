import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd } from './terminal.ts';

const jobs = {
  bad: bash('true', { argspec: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } }),
  plain: bash('true'),
  sealed: bash('true', {
    argspec: {
      type: 'object',
      properties: { backup_password: { type: 'string', format: 'secret' }, n: { type: 'integer' } },
      required: ['backup_password', 'n'],
    },
  }),
};

test.each([
  [
    ['bad', '3'],
    2,
    'there is no command and no job `bad/3`; there is the job `bad`, whose arguments are options: flwd bad --n 3\n',
  ],
  [['run', 'plain', '3'], 3, 'there is no job `plain/3`; there is the job `plain`, which takes no arguments\n'],
  [['sealed'], 2, '--backup_password is missing: --backup_password.file FILE\n--n is missing: --n N\n'],
  [['bad', '--args-file', 'none'], 2, '--args-file none: cannot be read: there is no such file or folder\n'],
])('%j is answered with what to write', async (words, code, stderr) => {
  const { dir } = await createInstance(jobs);
  expect(await flwd(dir, ...words)).toEqual({ stdout: '', stderr, code });
});

test('where there are no jobs, it is said where they were looked for', async () => {
  const empty = createFolder();
  expect(await flwd(empty, 'jobs')).toEqual({
    stdout: '',
    stderr: `no jobs in ${empty}; flwd init jobs/hello makes one\n`,
    code: 0,
  });
  const { dir } = await createInstance(jobs);
  expect((await flwd(dir, 'jobs', '--tag', 'none')).stderr).toBe('no such jobs\n');
});
