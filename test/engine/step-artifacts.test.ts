// Artifacts that steps name while other steps of the run write to the same workspace, with real processes.

import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { caller, dataFolder, type Opened, openEngine } from './an-engine.ts';
import { byId, script, steps, tick } from './step-jobs.ts';

const isRoot = process.geteuid?.() === 0;
/**
 * Before Linux 6.13, two changes within 10 ms may have the same time. The other tests wait long enough between changes.
 */
const [major = 0, minor = 0] = release().split('.').map(Number.parseFloat);
const hasCoarseClock = major * 100 + minor < 613;
/** A step that continues until the test ends it. */
const untilGo = 'until [ -e go ]; do sleep 0.02; done';

function workspaceOf(root: string, runId: string): string {
  return join(root, 'data/runs', runId, 'workspace');
}

function go(root: string, runId: string): void {
  writeFileSync(join(workspaceOf(root, runId), 'go'), '');
}

/** `name of step: text`, by name. */
async function kept({ store }: Opened, runId: string): Promise<string[]> {
  const { artifacts } = await store.artifacts.list({ runId, limit: 100 });
  const texts = artifacts.map(async (artifact) => {
    const file = await store.artifacts.openRead(artifact);
    const text = await file?.readFile('utf8');
    await file?.close();
    return `${artifact.name} of ${artifact.step_id}: ${text?.trimEnd()}`;
  });
  return (await Promise.all(texts)).toSorted();
}

test('artifacts are taken only when no step is alive, and no file of the host through a folder swapped for a link', async () => {
  const root = dataFolder();
  const host = join(root, 'host');
  mkdirSync(host);
  writeFileSync(join(host, 'f'), 'of the host');
  chmodSync(join(host, 'f'), 0o644);
  const before = lstatSync(join(host, 'f'));
  const jobs = {
    swaps: steps(
      { steps: [script('names'), script('lives')] },
      {
        names: 'mkdir d; echo mine > d/f; flwd_artifact d/f',
        lives: `${untilGo}; mv d was; ln -s ${host} d`,
      },
    ),
  };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('swaps');
  await opened.when(runId, (run) => byId(run).names?.status === 'success');
  expect(await kept(opened, runId)).toEqual([]);
  go(root, runId);
  expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
  expect(await kept(opened, runId)).toEqual([]);
  expect(await opened.messages(runId)).toEqual(['/workspace/d/f leads out of the workspace and was not kept']);
  const { uid, mode, nlink, ctimeMs } = lstatSync(join(host, 'f'));
  expect({ uid, mode, nlink, ctimeMs }).toEqual({
    uid: before.uid,
    mode: before.mode,
    nlink: 1,
    ctimeMs: before.ctimeMs,
  });
});

test('a file that several parallel steps name is taken once, as it is at the end of the run', async () => {
  const root = dataFolder();
  const jobs = {
    both: steps(
      { artifacts: { paths: ['*.txt'] }, steps: [script('a'), script('b'), script('c', { needs: ['a', 'b'] })] },
      {
        a: `echo one > shared.txt; touch a; until [ -e b ]; do sleep 0.02; done; flwd_artifact shared.txt --name first; ${tick}`,
        b: 'until [ -e a ]; do sleep 0.02; done; flwd_artifact shared.txt --name second; touch b',
        c: `${tick}; echo two >> shared.txt; echo found > other.txt`,
      },
    ),
  };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('both');
  expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
  expect(await kept(opened, runId)).toEqual(['first of a: one\ntwo', 'other.txt of c: found']);
});

test('a rerun can read the files of the kept workspace, and changing them there does not change the artifacts', async () => {
  const root = dataFolder();
  const jobs = {
    again: steps(
      { artifacts: { paths: ['found.txt'] }, steps: [script('make'), script('use', { needs: ['make'] })] },
      {
        make: `echo named > named.txt; echo found > found.txt; chmod 640 *.txt; flwd_artifact named.txt; ${tick}`,
        use: 'cat named.txt found.txt; echo changed > named.txt',
      },
    ),
  };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('again');
  await opened.finished(runId);
  for (const name of ['named.txt', 'found.txt']) {
    const { uid, mode, nlink } = statSync(join(workspaceOf(root, runId), name));
    expect({ uid, mode: mode & 0o777, nlink }).toEqual({
      uid: isRoot ? 65_534 : process.geteuid?.(),
      mode: 0o640,
      nlink: 1,
    });
  }
  const { runId: rerun } = await opened.engine.rerun(runId, { from: { step: 'use' } }, caller);
  expect(await opened.finished(rerun)).toMatchObject({ status: 'success' });
  expect(await opened.messages(rerun)).toEqual(['changed', 'found']);
  const artifacts = ['found.txt of make: found', 'named.txt of make: changed'];
  expect(await kept(opened, runId)).toEqual(artifacts);
  // The artifact is a copy, not a second hard link to the same file.
  writeFileSync(join(workspaceOf(root, runId), 'named.txt'), 'changed again');
  expect(await kept(opened, runId)).toEqual(artifacts);
});

test('a file over the size limit fails the run at its end, and the error names the step that named the file', async () => {
  const jobs = {
    large: steps(
      { steps: [script('big'), script('next', { needs: ['big'] })] },
      { big: 'truncate -s 1G big; echo >> big; flwd_artifact big', next: 'echo went on' },
    ),
  };
  const opened = await openEngine(dataFolder(), { jobs });
  const runId = await opened.create('large');
  const run = await opened.finished(runId);
  expect(run).toMatchObject({
    status: 'failed',
    reason: 'artifact_too_large',
    error: {
      message: 'the artifact /workspace/big has 1073741825 bytes; persistence.artifacts.max_size is 1073741824',
      step_id: 'big',
    },
  });
  expect(byId(run)).toMatchObject({ big: { status: 'success' }, next: { status: 'success' } });
  expect(await opened.messages(runId)).toEqual(['went on']);
});

test('files that a step named before a restart are taken at the end of the run, even after a cancel', async () => {
  const root = dataFolder();
  const jobs = {
    long: steps(
      { steps: [script('names'), script('lives')] },
      { names: 'echo early > early.txt; flwd_artifact early.txt', lives: untilGo },
    ),
  };
  const first = await openEngine(root, { jobs });
  const runs = [await first.create('long'), await first.create('long')];
  for (const runId of runs) await first.when(runId, (run) => byId(run).names?.status === 'success');
  await first.close();

  const [goesOn = '', isCancelled = ''] = runs;
  const next = await openEngine(root);
  go(root, goesOn);
  expect(await next.finished(goesOn)).toMatchObject({ status: 'success' });
  await expect
    .poll(() => next.engine.cancel(isCancelled, localPrincipal).catch(String))
    .toEqual({ status: 'cancelled' });
  for (const runId of runs) {
    expect(await kept(next, runId)).toEqual(['early.txt of names: early']);
    expect(readFileSync(join(workspaceOf(root, runId), 'early.txt'), 'utf8')).toBe('early\n');
  }
});

test('a file that no step named belongs to the step that was running when it last changed, if only one was', async () => {
  const together = (own: string, other: string) => `touch ${own}.on; until [ -e ${other}.on ]; do sleep 0.01; done`;
  const jobs = {
    makers: steps(
      {
        artifacts: { paths: ['*.log'] },
        steps: [
          script('late', { needs: ['left', 'right'] }),
          script('first'),
          script('second', { needs: ['first'], matrix: { os: ['arch'] } }),
          script('left', { needs: ['second'] }),
          script('right', { needs: ['second'] }),
        ],
      },
      {
        first: `cd artifacts; echo 1 > kept; echo 1 > appended; echo 1 > aged; echo 1 > named; ${tick}`,
        second: `${tick}; echo 2 > build.log; touch -d 2001-01-01 artifacts/unpacked; echo 2 >> artifacts/appended; ${tick}`,
        left: `${together('left', 'right')}; echo 3 > artifacts/side; touch left.done; until [ -e right.done ]; do sleep 0.01; done`,
        right: `${together('right', 'left')}; flwd_artifact artifacts/named; until [ -e left.done ]; do sleep 0.01; done; touch right.done`,
        late: `${tick}; touch -d 2001-01-01 artifacts/aged; mv artifacts/kept artifacts/moved`,
      },
    ),
  };
  const opened = await openEngine(dataFolder(), { jobs });
  const runId = await opened.create('makers');
  expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
  expect(await kept(opened, runId)).toEqual([
    'aged of null: 1',
    'appended of second[os=arch]: 1\n2',
    'build.log of second[os=arch]: 2',
    'moved of null: 1',
    'named of right: 1',
    'side of null: 3',
    'unpacked of second[os=arch]: ',
  ]);
});

test.skipIf(hasCoarseClock)('quick steps that run one after the other each get the file that they wrote', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const chain = names.map((name, i) => script(name, { needs: names.slice(Math.max(0, i - 1), i) }));
  const scripts = Object.fromEntries(names.map((name) => [name, `: > artifacts/${name}`]));
  const opened = await openEngine(dataFolder(), { jobs: { chain: steps({ steps: chain }, scripts) } });
  const runId = await opened.create('chain');
  expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
  expect(await kept(opened, runId)).toEqual(names.map((name) => `${name} of ${name}: `));
});

test('files of every attempt belong to the step, and files that a rerun took over belong to no step', async () => {
  const jobs = {
    again: steps(
      {
        steps: [script('tries', { retry: { limit: 1, delay: '1ms' } }), script('fails', { needs: ['tries'] })],
      },
      {
        tries: `[ -e once ] || { touch once; echo early > artifacts/early; exit 1; }; echo late > artifacts/late; ${tick}`,
        fails: `${tick}; [ -e tried ] || { touch tried; exit 1; }; echo end > artifacts/end`,
      },
    ),
  };
  const opened = await openEngine(dataFolder(), { jobs });
  const runId = await opened.create('again');
  expect(await opened.finished(runId)).toMatchObject({ status: 'failed' });
  expect(await kept(opened, runId)).toEqual(['early of tries: early', 'late of tries: late']);
  const { runId: rerun } = await opened.engine.rerun(runId, { from: 'failed' }, caller);
  expect(await opened.finished(rerun)).toMatchObject({ status: 'success' });
  expect(await kept(opened, rerun)).toEqual(['early of null: early', 'end of fails: end', 'late of null: late']);
});
