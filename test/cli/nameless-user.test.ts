// A user without a line in /etc/passwd, as in a container that runs with `--user`.

import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { bin, createFolder, observe, type Seen } from './terminal.ts';

/** Runs flwd as the user 54321, who may use the same files as the user of the test. */
function flwd(dir: string, env: Readonly<Record<string, string>>, words: readonly string[], input = ''): Promise<Seen> {
  const child = spawn('unshare', ['--user', '--map-user=54321', process.execPath, bin, ...words], {
    cwd: dir,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(input);
  return observe(child).ended;
}

test('a user without a line in /etc/passwd can import a crontab, and is named by its id', async () => {
  const dir = createFolder();
  const seen = await flwd(dir, { HOME: dir }, ['import', 'crontab', '-'], '5 4 * * * /bin/true\n');
  expect(seen).toMatchObject({ code: 0 });
  expect(seen.stdout).toMatch(/^ {2}ran as: +54321$/m);
});

test('without HOME, the home of a user without a line in /etc/passwd is the root folder', async () => {
  const dir = createFolder();
  const seen = await flwd(dir, {}, ['config', 'show', '--json']);
  expect(seen).toMatchObject({ stderr: '', code: 0 });
  expect(seen.stdout).toContain(JSON.stringify('/.local/share/flwd'));
});
