// Arguments of a job that have the name of a flwd option.

import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const jobs = {
  deploy: bash('echo "verbose $verbose, json ${json:-}, config $config, help ${help:-}, to ${target:-}"', {
    argspec: {
      type: 'object',
      properties: {
        config: { type: 'string' },
        verbose: { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'string' },
        target: { type: 'string' },
      },
      required: ['config'],
    },
  }),
};

test('the help of a job shows how to give an argument with the name of a flwd option', async () => {
  const { dir } = await createInstance(jobs);
  const { stdout: help } = await flwd(dir, 'run', 'deploy', '--help');
  expect(help.match(/^ {2}--\S.*?(?= {2}|$)/gm)).toEqual([
    '  --args.config TEXT',
    '  --args.verbose, --args.no-verbose',
    '  --args.json TEXT',
    '  --args.help TEXT',
    '  --target TEXT',
  ]);
  expect(help).toContain('If flwd has an option of the same name, write --args.NAME, or --NAME after a lone --.\n');
  expect(await flwd(dir, 'deploy')).toMatchObject({
    code: 2,
    stderr: '--args.config is missing: --args.config TEXT\n',
  });
  const words = ['--args.config', 'prod', '--args.verbose', '--args.json', 'x', '--args.help', 'y', '--target', 'z'];
  expect(await flwd(dir, 'run', 'deploy', ...words)).toMatchObject({
    code: 0,
    stdout: 'verbose true, json x, config prod, help y, to z\n',
  });
});

test('words after -- belong to the job, options before its name to flwd', async () => {
  const { dir } = await createInstance(jobs);
  const own = ['--verbose', '--config', 'prod', '--json', 'x', '--help', 'y'];
  const printed = { code: 0, stdout: 'verbose true, json x, config prod, help y, to z\n' };
  expect(await flwd(dir, 'run', 'deploy', '--target', 'z', '--', ...own)).toMatchObject(printed);
  expect(await flwd(dir, 'deploy', '--', ...own, '--target=z')).toMatchObject(printed);
  const { code, stdout } = await flwd(dir, '--json', 'run', '--config=flwd.yaml', 'deploy', '--', ...own);
  expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, args: { json: 'x', config: 'prod' } });
});

test('after the job’s name, an option that is also an argument of the job is refused, and nothing runs', async () => {
  const { dir } = await createInstance(jobs);
  expect(await flwd(dir, 'deploy', '--config', 'flwd.yaml', '--verbose')).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'Both flwd and the job have `--config`. For the job, end the line with `-- --config VALUE`; ' +
      'for flwd, write `flwd run --config VALUE deploy`.\n' +
      'Both flwd and the job have `--verbose`. For the job, end the line with `-- --verbose`; ' +
      'for flwd, write `flwd run --verbose deploy`.\n',
  });
  const schedule = ['schedules', 'add', 'deploy', '--cron', '0 3 * * *', '--args.config=a', '--json'];
  expect(await flwd(dir, '--data-dir', 'data', ...schedule)).toMatchObject({
    code: 2,
    stdout: '',
    stderr:
      'Both flwd and the job have `--json`. For the job, end the line with `-- --json VALUE`; ' +
      'for flwd, write `flwd schedules add --json deploy`.\n',
  });
  expect(await flwd(dir, 'runs')).toMatchObject({ stdout: '' });
});

test('a command that flwd suggests for such a job is accepted', async () => {
  const { dir } = await createInstance(jobs);
  const words = ['deploy', '--args.config', 'prod'];
  expect(await flwd(dir, '--config', 'flwd.yaml', 'deploy', 'prod')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /takes its arguments as options: flwd --config flwd\.yaml deploy --args\.config prod\n$/,
    ),
  });
  expect(await flwd(dir, '--config', 'flwd.yaml', ...words)).toMatchObject({
    code: 0,
    stdout: 'verbose false, json , config prod, help , to \n',
  });
});
