// Somebody replaces a folder of the data dir while the server runs, or makes it read-only. That does not change how a
// run ends: the run waits, says why, and continues once the folder is back.

import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { Problem } from '../../src/domain/problem.ts';
import { bash } from '../support/jobs.ts';
import { testWithDisk } from '../support/small-disk.ts';
import { dataFolder, type Opened, openEngine, testOnSqlite as test } from './an-engine.ts';

/** Prints nothing until the test tells it to. Only then is its log opened. */
const told = bash('echo x >artifacts/x; until [[ -e go ]]; do sleep 0.02; done; rm go; echo done');

const noRun = 'no run can start, because a folder of the data dir cannot be used';
const runsAgain = 'runs can start again, because the folders of the data dir can be used';

/** Puts a file in the place of the folder. @returns how to put the folder back */
function replace(dir: string): () => void {
  renameSync(dir, `${dir}.away`);
  writeFileSync(dir, '');
  return () => {
    rmSync(dir);
    renameSync(`${dir}.away`, dir);
  };
}

/** @returns how to make it writable again */
function makeReadOnly(dir: string): () => Promise<void> {
  const mount = (...args: string[]): void => expect(spawnSync('mount', args).status).toBe(0);
  mount('--bind', dir, dir);
  onTestFinished(() => void spawnSync('umount', [dir]));
  mount('-o', 'remount,bind,ro', dir);
  // The engine tries the folder again and again, and a mount in use cannot be removed.
  return () => expect.poll(() => spawnSync('umount', [dir]).status).toBe(0);
}

async function started(root: string): Promise<{ readonly opened: Opened; readonly runId: string }> {
  const opened = await openEngine(root, { jobs: { told, hello: bash('echo x >artifacts/x; echo hello') } });
  // This run creates all folders.
  await opened.finished(await opened.create('hello'));
  const runId = await opened.create('told');
  await expect.poll(() => existsSync(join(root, 'data', 'runs', runId, 'workspace', 'artifacts', 'x'))).toBe(true);
  return { opened, runId };
}

function tell(root: string, runId: string): void {
  writeFileSync(join(root, 'data', 'runs', runId, 'workspace', 'go'), '');
}

async function expectWait(root: string, { opened, runId }: Awaited<ReturnType<typeof started>>, why: string) {
  const waits = await opened.when(runId, ({ waiting }) => waiting !== null);
  expect(waits).toMatchObject({ status: 'running', waiting: `${why}; the run continues when that is fixed` });
  expect(JSON.stringify(waits)).not.toContain(root);
  expect(opened.engine.health()).toMatchObject({ disk: { status: 'failing', detail: why } });
  await expect.poll(() => opened.log).toContainEqual(expect.objectContaining({ msg: noRun, error: why }));
  const refused = await opened.create('hello').catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Problem);
  expect(refused).toMatchObject({ slug: 'not-ready', message: `The server cannot write its data: ${why}.` });
}

async function expectEnd({ opened, runId }: Awaited<ReturnType<typeof started>>) {
  expect(await opened.finished(runId)).toMatchObject({ status: 'success', error: null, waiting: null });
  expect(await opened.messages(runId)).toEqual(['done']);
  expect((await opened.store.artifacts.list({ runId, limit: 10 })).artifacts).toHaveLength(1);
  await expect.poll(() => opened.log.map(({ msg }) => msg)).toContain(runsAgain);
  expect(await opened.finished(await opened.create('hello'))).toMatchObject({ status: 'success' });
}

describe.each(['logs', 'artifacts'])('while %s is not writable', (name) => {
  test('a run that ends waits until the file in place of the folder is gone, and then succeeds with all that it left', async () => {
    const root = dataFolder();
    const run = await started(root);
    const putBack = replace(join(root, 'data', name));
    tell(root, run.runId);
    await expectWait(root, run, `the folder ${name} was replaced by a file: put the folder back`);
    putBack();
    await expectEnd(run);
  });

  testWithDisk('a run that ends waits until the folder is mounted for writing again', async () => {
    const root = dataFolder();
    const run = await started(root);
    const putBack = makeReadOnly(join(root, 'data', name));
    tell(root, run.runId);
    await expectWait(root, run, `the folder ${name} is read-only: mount it for writing`);
    await putBack();
    await expectEnd(run);
  });
});

test('when the folder of the snapshots was replaced, a new run is refused at once, until the folder is back', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { hello: bash('echo hello'), other: bash('echo other') } });
  await opened.finished(await opened.create('hello'));
  const putBack = replace(join(root, 'data', 'snapshots'));
  const why = 'the folder snapshots was replaced by a file: put the folder back';
  await expect(opened.create('other')).rejects.toMatchObject({
    slug: 'not-ready',
    message: `The server cannot write its data: ${why}.`,
  });
  putBack();
  await expect.poll(() => opened.create('other').catch(() => null)).not.toBeNull();
});

test('a log whose folder was replaced by a file is reported as missing, and can be read again once the folder is back', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { hello: bash('echo hello') } });
  const runId = await opened.create('hello');
  await opened.finished(runId);
  const putBack = replace(join(root, 'data', 'logs'));
  expect(await opened.messages(runId)).toEqual([expect.stringContaining('is missing')]);
  putBack();
  expect(await opened.messages(runId)).toEqual(['hello']);
});

test('a run starts although somebody has removed the pipes of its sandbox', async () => {
  const root = dataFolder();
  const { opened, runId } = await started(root);
  rmSync(join(root, 'data', 'pipes'), { recursive: true });
  const other = await opened.create('hello');
  expect(await opened.finished(other)).toMatchObject({ status: 'success' });
  expect(await opened.messages(other)).toEqual(['hello']);
  tell(root, runId);
  expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
  expect(await opened.messages(runId)).toEqual(['done']);
});
