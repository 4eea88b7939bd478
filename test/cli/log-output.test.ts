// Where the server writes its log, and what each line contains: `logging.output` and `logging.fields`.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash, writeJob } from '../support/jobs.ts';
import { createFolder, flwd, start } from './terminal.ts';

const linesOf = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

function folderWith(logging: Readonly<Record<string, unknown>>): string {
  const dir = createFolder();
  const config = { instance: { data_dir: './.data' }, server: { bind: '127.0.0.1:0' }, logging };
  writeFileSync(join(dir, 'flwd.yaml'), JSON.stringify(config));
  return dir;
}

test('a log file has complete lines with the fields, is private to its owner, and is appended to after a restart', async () => {
  const dir = folderWith({ output: './server.log', format: 'json', fields: { environment: 'test' } });
  const file = join(dir, 'server.log');
  for (const starts of [1, 2]) {
    const { child, ended, prints } = start(dir, ['serve']);
    await prints(/listening on/);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
    const lines = linesOf(readFileSync(file, 'utf8'));
    expect(lines.filter((line) => JSON.stringify(line).includes('"msg":"started"'))).toHaveLength(starts);
    for (const line of lines) expect(line).toMatchObject({ environment: 'test', level: expect.any(Number) });
  }
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('if the log goes to standard output, nothing else is printed there', async () => {
  const { child, ended, prints } = start(folderWith({ output: 'stdout', format: 'json' }), ['serve']);
  await prints(/listening on/);
  child.kill('SIGTERM');
  const { code, stdout, stderr } = await ended;
  expect(code).toBe(0);
  expect(stderr).toMatch(/^flwd \S+ listening on \S+\n$/);
  expect(linesOf(stdout)).toContainEqual(expect.objectContaining({ msg: 'started' }));
});

test('a log file that cannot be opened stops the start with one line, and commands never log to standard output', async () => {
  const dir = folderWith({ output: './missing/server.log' });
  expect(await flwd(dir, 'serve')).toMatchObject({
    code: 2,
    stderr: `the log file ${join(dir, 'missing/server.log')} cannot be opened (ENOENT): its folder must exist and be writable\n`,
  });
  const other = folderWith({ output: 'stdout', level: 'trace' });
  await writeJob(join(other, 'jobs', 'hi'), bash('echo hi'));
  const { code, stdout } = await flwd(other, 'run', 'hi', '--quiet');
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'hi\n' });
});
