import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, start } from './terminal.ts';

const jobs = {
  says: bash('echo "hello you"'),
  staged: {
    'config.yaml': JSON.stringify({ steps: [{ id: 'build', script: './build.sh' }] }),
    'build.sh': '#!/usr/bin/env bash\necho "hello you"\n',
  },
  other: bash('true'),
};
type Event = { readonly id: number; readonly event: string; readonly run_id: string; readonly job_id: string };

function toEvents(text: string): Event[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line): Event => JSON.parse(line));
}

test.each([false, true])('--run prints all events of the run and then ends (with a server: %s)', async (isServed) => {
  const instance = await createInstance(jobs);
  const server = isServed ? await instance.serve() : undefined;
  const run: { readonly run_id: string } = JSON.parse((await flwd(instance.dir, 'run', 'says', '--json')).stdout);
  const printed = await flwd(instance.dir, 'events', '--run', run.run_id, '--json');
  expect(printed).toMatchObject({ code: 0, stderr: '' });
  const events = toEvents(printed.stdout);
  expect(events.map(({ event }) => event)).toEqual([
    'run.created',
    'run.started',
    'step.started',
    'run.output',
    'step.finished',
    'run.finished',
  ]);
  expect(events[3]).toMatchObject({
    id: expect.any(Number),
    run_id: run.run_id,
    job_id: 'says',
    message: 'hello you',
  });

  const some = await flwd(instance.dir, 'events', '--run', run.run_id, '--type', 'run.output', '--type', 'run.created');
  expect(some.code).toBe(0);
  expect(some.stdout.split('\n')).toEqual([
    expect.stringMatching(new RegExp(`^20\\S+Z {2}run\\.created {2}says {2}${run.run_id} {2}`)),
    expect.stringMatching(new RegExp(`^20\\S+Z {2}run\\.output {2}says {2}${run.run_id} {2}\\S+ {2}\\| hello you$`)),
    '',
  ]);
  await server?.stop();
});

test('a line of a job with steps is printed once, but with --json or --type as both of its events', async () => {
  const { dir } = await createInstance(jobs);
  const run: { readonly run_id: string } = JSON.parse((await flwd(dir, 'run', 'staged', '--json')).stdout);
  const events = async (...words: readonly string[]) =>
    (await flwd(dir, 'events', '--run', run.run_id, ...words)).stdout;
  const lines = (text: string) => text.split('\n').filter((line) => line.includes('hello you'));
  const about = `staged {2}${run.run_id} {2}build {2}\\| hello you$`;
  expect(lines(await events())).toEqual([expect.stringMatching(`^20\\S+Z {2}run\\.output {2}${about}`)]);
  expect(lines(await events('--type', 'step.output'))).toEqual([
    expect.stringMatching(`^20\\S+Z {2}step\\.output {2}${about}`),
  ]);
  expect(toEvents(await events('--json')).map(({ event }) => event)).toEqual([
    'run.created',
    'run.started',
    'step.started',
    'run.output',
    'step.output',
    'step.finished',
    'run.finished',
  ]);
});

test('without --run, events of all runs are printed until Ctrl-C', async () => {
  const instance = await createInstance(jobs);
  const server = await instance.serve();
  const watching = start(instance.dir, ['events', '--job', 'says', '--type', 'run.finished', '--json']);
  // The stream opens some time after the command starts, so create runs until one of them appears.
  const ended = new AbortController();
  const seen = watching.prints(/run\.finished/).then(() => ended.abort());
  while (!ended.signal.aborted) {
    await server.run('other');
    await Promise.race([seen, server.run('says')]);
  }
  watching.child.kill('SIGINT');
  const { code, stdout, stderr } = await watching.ended;
  expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
  expect(new Set(toEvents(stdout).map(({ job_id: job, event }) => `${job} ${event}`))).toEqual(
    new Set(['says run.finished']),
  );
});

test('an unknown run is not found, and an unknown type is refused with a suggestion', async () => {
  const { dir, serve } = await createInstance(jobs);
  await serve();
  expect(await flwd(dir, 'events', '--run', 'run_x')).toMatchObject({ code: 3, stdout: '' });
  expect(await flwd(dir, 'events', '--type', 'run.finish')).toEqual({
    code: 2,
    stdout: '',
    stderr: '--type does not take `run.finish`; did you mean `run.finished`?\n',
  });
});
