// What a run reports about files that nothing keeps, with real processes.

import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import type { Run } from '../../src/domain/run.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder, type Opened, openEngine } from './an-engine.ts';
import { script, steps } from './step-jobs.ts';

async function ran(opened: Opened, jobId: string, args = {}): Promise<Run> {
  return opened.finished(await opened.create(jobId, args));
}

/** The whole log. */
async function printed({ store }: Opened, run: Run): Promise<string[]> {
  const { lines } = await store.logs.page(run.run_id, { limit: 100 });
  return lines.map(({ stream, message }) => `${stream} ${message}`);
}

test('the log counts and names the files that are left in the workspace, and says how to keep them', async () => {
  const opened = await openEngine(dataFolder(), {
    jobs: { backup: bash('mkdir -p ~/backups; echo x > ~/backups/dump.sql; echo dumped') },
  });
  const run = await ran(opened, 'backup');
  expect(run).toMatchObject({
    status: 'success',
    left_behind: { count: 1, bytes: 2, names: ['backups/dump.sql'], more: false },
  });
  expect(await printed(opened, run)).toEqual([
    'stdout dumped',
    'stderr 1 file (2 B) left in the workspace or /tmp is not kept: backups/dump.sql; artifacts.paths would keep it, permissions.write would put it on the host',
  ]);
});

test('artifacts, files on the host and entries that are not files do not count as left behind', async () => {
  const root = dataFolder();
  const granted = join(root, 'granted');
  mkdirSync(granted);
  chmodSync(granted, 0o777);
  const opened = await openEngine(root, {
    jobs: {
      tidy: bash(
        `echo a > artifacts/a; echo b > b.tar; touch x.lock /tmp/y.lock; echo c > c.txt; flwd_artifact c.txt; mkdir -p d/e; ln -s /etc/passwd link; ln -s / root; mkfifo pipe; echo f > ${granted}/f`,
        { artifacts: { paths: ['*.tar'] }, permissions: { write: [granted] } },
      ),
      nothing: bash('true'),
      failing: bash('touch half; exit 3'),
    },
    security: { paths: [root], mayGrant: () => ['write'] },
  });
  expect(await ran(opened, 'tidy')).toMatchObject({ status: 'success', left_behind: null });
  expect(existsSync(join(granted, 'f'))).toBe(true);
  expect(await ran(opened, 'nothing')).toMatchObject({ status: 'success', left_behind: null });
  expect(await ran(opened, 'failing')).toMatchObject({ status: 'failed', left_behind: { count: 1, names: ['half'] } });
});

test('steps share a workspace, so the run reports only at its end what is left there', async () => {
  const jobs = {
    two: steps(
      { steps: [script('one'), script('two', { needs: ['one'] })] },
      { one: 'echo 1 > one', two: 'echo 22 > two' },
    ),
  };
  const opened = await openEngine(dataFolder(), { jobs });
  const run = await ran(opened, 'two');
  expect(run.left_behind).toEqual({ count: 2, bytes: 5, names: ['one', 'two'], more: false });
  expect(await printed(opened, run)).toHaveLength(1);
});

test('the line about files that one step has left is a line of this step', async () => {
  const jobs = {
    builds: steps(
      { steps: [script('build'), script('test', { needs: ['build'] })] },
      { build: 'echo 1 > made', test: 'cat made' },
    ),
  };
  const opened = await openEngine(dataFolder(), { jobs });
  const run = await ran(opened, 'builds');
  const { lines } = await opened.store.logs.page(run.run_id, { limit: 100 });
  expect(lines.map(({ step_id, stream }) => `${step_id} ${stream}`)).toEqual(['test stdout', 'build stderr']);
});

test('names are redacted and made printable, and the log lists at most 20 of them', async () => {
  const opened = await openEngine(dataFolder(), {
    jobs: {
      hostile: bash(
        "touch -- $'new\\nline' $'\\e[2Jclear' $'\\u202eturned' $'\\xff\\xfe' \"of $(cat \"$FLWD_SECRETS_DIR/token\")\" \"$(printf 'x%.0s' {1..255})\"",
        { argspec: { type: 'object', properties: { token: { type: 'string', format: 'secret' } } } },
      ),
      many: bash('for n in {1..25}; do echo > "$n"; done'),
    },
  });
  const { left_behind: hostile } = await ran(opened, 'hostile', { token: 'hunter2-secret' });
  expect(hostile?.names.toSorted()).toEqual(
    ['_[2Jclear', '_turned', 'new_line', 'of [redacted]', 'x'.repeat(255), '\ufffd\ufffd'].toSorted(),
  );
  const run = await ran(opened, 'many');
  expect(run.left_behind).toMatchObject({ count: 25, bytes: 25, more: false });
  expect(run.left_behind?.names).toHaveLength(20);
});

test('when a run leaves more files than flwd counts, the log says so', async () => {
  const opened = await openEngine(dataFolder(), {
    jobs: { flood: bash('mkdir d; cd d; touch {1..10050}') },
  });
  const run = await ran(opened, 'flood');
  expect(run.left_behind).toMatchObject({ count: 10_000, more: true });
  expect((await printed(opened, run))[0]).toMatch(/^stderr more than 10,000 files \(0 B\) left in the workspace or /);
});

test('files in /tmp count although they are in memory, but files in a granted folder below /tmp do not', async () => {
  const root = dataFolder();
  const granted = join(root, 'granted');
  mkdirSync(granted);
  chmodSync(granted, 0o777);
  const file = join(root, 'file');
  writeFileSync(file, 'of the host');
  const opened = await openEngine(root, {
    jobs: {
      quick: { 'config.yaml': 'command: [touch, /tmp/left]\n' },
      both: steps(
        { steps: [script('one'), script('two', { needs: ['one'] })] },
        {
          one: 'mkdir -p /tmp/a/b; echo 1 > /tmp/a/b/one; ln -s / /tmp/root',
          two: '[ ! -e /tmp/a ]; echo 22 > two; echo 333 > /tmp/three',
        },
      ),
      beside: bash(`echo f > ${granted}/f; echo 1 > /tmp/own; echo 2 > /tmp/gone; rm /tmp/gone`, {
        permissions: { write: [granted], read: [file] },
      }),
      whole: bash('true', { permissions: { read: ['/tmp'] } }),
      slow: bash('echo x > /tmp/x; echo y > y; echo ready; sleep 8014'),
    },
    security: { paths: [root, '/tmp'], mayGrant: () => ['read', 'write'] },
  });
  expect((await ran(opened, 'quick')).left_behind).toEqual({ count: 1, bytes: 0, names: ['/tmp/left'], more: false });
  expect((await ran(opened, 'both')).left_behind).toEqual({
    count: 3,
    bytes: 9,
    names: ['two', '/tmp/a/b/one', '/tmp/three'],
    more: false,
  });
  expect((await ran(opened, 'beside')).left_behind).toEqual({ count: 1, bytes: 2, names: ['/tmp/own'], more: false });
  expect((await ran(opened, 'whole')).left_behind).toBeNull();
  const runId = await opened.create('slow');
  await expect.poll(() => opened.messages(runId)).toEqual(['ready']);
  await opened.engine.cancel(runId, localPrincipal);
  expect((await opened.finished(runId)).left_behind?.names).toContain('y');
});
