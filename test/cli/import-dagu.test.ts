// Imports workflows of Dagu, and runs the jobs: they must do in flwd what the workflows do in Dagu.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd } from './terminal.ts';

type Result = {
  readonly place: string;
  readonly state: string;
  readonly obstacles?: string[];
  readonly notes?: string[];
};

async function imported(dir: string, files: Readonly<Record<string, string>>): Promise<Map<string, Result>> {
  writeFiles(dir, Object.fromEntries(Object.entries(files).map(([name, text]) => [`dags/${name}.yaml`, text])));
  const { stdout } = await flwd(dir, 'import', 'dagu', 'dags', '--json');
  const { found }: { found: Result[] } = JSON.parse(stdout);
  return new Map(found.map((one) => [one.place.replace('.yaml', ''), one]));
}

/** Runs the job, and returns what each run of its sub-job printed. */
async function printedBySubRuns(dir: string, job: string, sub: string): Promise<string[]> {
  expect(await flwd(dir, 'run', job, '--quiet')).toMatchObject({ code: 0 });
  const { runs }: { runs: { run_id: string }[] } = JSON.parse((await flwd(dir, 'runs', '--job', sub, '--json')).stdout);
  const logs = await Promise.all(runs.map(async ({ run_id }) => (await flwd(dir, 'logs', run_id, '--quiet')).stdout));
  return logs.toSorted();
}

test('a workflow that runs for several items gets each of them, even if the step names no parameter', async () => {
  const dir = createFolder();
  const found = await imported(dir, {
    child: 'params: "ITEM"\nsteps:\n  - run: echo got $1\n',
    loader: 'params: [{FILE: x}, {TRIES: 3}]\nsteps: [{command: "echo loading ${FILE} x${TRIES}"}]\n',
    unordered: 'params: {N: 1, MODE: fast}\nsteps: [{run: "echo ${N} ${MODE}"}]\n',
    positions: 'steps: [{parallel: [p, q], action: dag.run, with: {dag: child}}]\n',
    names: 'steps: [{run: loader, parallel: {items: [a.csv, b.csv], maxConcurrent: 1}}]\n',
    map: 'steps: [{action: dag.run, with: {dag: unordered}, parallel: [2, 3]}]\n',
    words: 'steps: [{run: loader, parallel: ["FILE=a.csv", "FILE=b.csv"]}]\n',
  });
  expect(await printedBySubRuns(dir, 'positions', 'child')).toEqual(['got p\n', 'got q\n']);
  expect(await printedBySubRuns(dir, 'names', 'loader')).toEqual(['loading a.csv x3\n', 'loading b.csv x3\n']);
  expect(found.get('names')?.notes).toContainEqual(
    expect.stringContaining('its step step 1 ran loader for at most 1 item at a time'),
  );
  for (const [job, child] of [
    ['map', 'unordered'],
    ['words', 'loader'],
  ])
    expect(found.get(job ?? '')?.obstacles).toEqual([
      `its step step 1 passes its items to the workflow ${child} without naming a parameter: add \`params: NAME=\${ITEM}\` to the step`,
    ]);
});

test('a command that is a list is one program with its arguments', async () => {
  const dir = createFolder();
  const found = await imported(dir, {
    argv: 'env: [FILE: a b]\nsteps: [{command: [printf, "<%s>", "a b", "$FILE", "-n"]}]\n',
    unclear: 'steps: [{command: [echo, "a b"]}]\n',
    several: 'steps: [{shell: bash, command: ["echo one", "false || exit 3", "echo two"]}]\n',
    run: 'steps: [{shell: bash, run: [echo one, "false", echo two]}]\n',
  });
  expect(await flwd(dir, 'run', 'argv', '--quiet')).toMatchObject({ code: 0, stdout: '<a b><a b><-n>\n' });
  expect(found.get('argv')?.notes).toEqual(['it ran as the user of Dagu']);
  expect((await flwd(dir, 'run', 'unclear', '--quiet')).stdout).toBe('a b\n');
  expect(found.get('unclear')?.notes).toContainEqual(
    expect.stringContaining('the `command` of its step step 1 is a list: flwd runs it as one program'),
  );
  for (const job of ['several', 'run'])
    expect(await flwd(dir, 'run', job, '--quiet')).toMatchObject({ code: 1, stdout: 'one\n' });
});

test('a step in a folder that the job does not see fails, and the report names the folder', async () => {
  const dir = createFolder();
  await imported(dir, {
    etl: 'steps: [{dir: /srv/etl-of-dagu, shell: bash, script: "echo on > a.txt"}]\n',
    py: 'workingDir: /srv/py-of-dagu\nsteps: [{command: python3, script: "print(1)"}]\n',
    check: 'steps: [{dir: /srv/check-of-dagu, command: "true", preconditions: [{condition: "true"}]}]\n',
  });
  for (const [job, permission] of [
    ['etl', 'write'],
    ['py', 'read'],
    ['check', 'read'],
  ] as const) {
    expect(await flwd(dir, 'run', job, '--quiet')).toMatchObject({ code: 1 });
    expect(readFileSync(join(dir, 'jobs', job, 'config.yaml'), 'utf8')).toContain(
      `# permissions: {${permission}: [/srv/${job}-of-dagu]}\n`,
    );
  }
});
