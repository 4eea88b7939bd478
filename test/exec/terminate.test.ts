// How an attempt is ended: the job's signal, time to react, SIGKILL, and the proof that nothing is left.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as yieldNow } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { CancelSignal } from '../../src/domain/job.ts';
import type { AttemptProcess } from '../../src/exec/executor.ts';
import type { LimitedSpec } from '../../src/exec/proc/attempt-groups.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { processesOf, processesWith, stateOf } from '../support/processes.ts';
import { bwrapWithChild, nap, printed, type Sample, sample, shimOf, start } from './sample.ts';

/** Starts a script and waits until it has printed `ready` and its sleep has begun. */
async function ready(
  script: string,
  o: Sample = {},
): Promise<{ attempt: AttemptProcess; spec: LimitedSpec; stdout: () => string[] }> {
  const spec = sample(script, o);
  const attempt = start(spec);
  const stdout = (): string[] => printed(spec).lines.filter((line) => !line.startsWith('^E'));
  await expect.poll(stdout).toContain('ready');
  if (script.includes(nap)) await expect.poll(() => processesWith(nap)).toContainEqual(asleep);
  return { attempt, spec, stdout };
}

const asleep = { pid: expect.any(Number), command: nap };

const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe.each(['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'] as const)('the signal %s', (signal: CancelSignal) => {
  test('runs the script’s trap, which may clean up and exit as it likes', async () => {
    const { attempt, stdout } = await ready(
      `trap 'echo cleaned; exit 0' ${signal}; echo ready; while true; do ${nap} || true; done`,
    );
    const seen: unknown[] = [];
    const proof = await attempt.terminate({ signal, graceMs: 20_000, onSignal: (...sent) => seen.push(sent) });
    expect(proof).toEqual({ signals: [{ signal, at, processes: 2 }], remaining: 0, proven: true, finished_at: at });
    expect(seen).toEqual([[signal, 2]]);
    expect(await attempt.ended).toEqual({ kind: 'exited', code: 0 });
    expect(stdout()).toEqual(['ready', 'cleaned']);
  });

  test('ends a script that ignores signals', async () => {
    const { attempt } = await ready(`echo ready; ${nap}`);
    await attempt.terminate({ signal, graceMs: 20_000 });
    expect(await attempt.ended).toEqual({ kind: 'signalled', signal });
  });
});

test('a script that ignores the signal is killed after the grace period, with all processes that it started', async () => {
  const { attempt } = await ready(`
    trap '' TERM
    setsid -f sh -c 'trap "" TERM HUP; ${nap}; true'
    (${nap} & ${nap}) &
    until (($(cat /proc/[0-9]*/comm 2> /dev/null | grep -c '^sleep$') >= 3)); do :; done
    echo ready
    ${nap}`);
  const began = performance.now();
  const proof = await attempt.terminate({ signal: 'TERM', graceMs: 300 });
  expect(proof).toMatchObject({
    signals: [{ signal: 'TERM' }, { signal: 'KILL', processes: expect.any(Number) }],
    remaining: 0,
  });
  expect(proof.signals[1]?.processes).toBeGreaterThanOrEqual(4);
  expect(performance.now() - began).toBeGreaterThanOrEqual(300);
  expect(await attempt.ended).toEqual({ kind: 'signalled', signal: 'KILL' });
  expect(processesWith(nap)).toEqual([]);
});

test('the last output of a killed script is kept, with or without a newline', async () => {
  const { attempt, spec } = await ready(`trap '' TERM; printf 'last words' >&2; echo ready; ${nap}`);
  await attempt.terminate({ signal: 'TERM', graceMs: 10 });
  expect(printed(spec).text).toMatch(/(^|\n)\^Elast words\n$/);
});

test('a process stopped by SIGSTOP is killed like any other', async () => {
  const { attempt } = await ready('echo ready; kill -STOP $$', { command: ['./run.sh', nap] });
  await expect.poll(() => processesWith(nap).map(({ pid }) => stateOf(pid))).toContain('T');
  expect(await attempt.terminate({ signal: 'TERM', graceMs: 50 })).toMatchObject({ remaining: 0 });
  expect(await attempt.ended).toEqual({ kind: 'signalled', signal: 'KILL' });
});

test('a job whose signal is KILL is killed at once', async () => {
  const { attempt } = await ready(`trap '' TERM; echo ready; ${nap}`);
  const began = performance.now();
  const graceMs = 60_000;
  const proof = await attempt.terminate({ signal: 'KILL', graceMs });
  expect(proof).toMatchObject({ signals: [{ signal: 'KILL', processes: 2 }], remaining: 0 });
  expect(performance.now() - began).toBeLessThan(graceMs);
});

test('an attempt can be ended before its sandbox exists', async () => {
  const spec = sample(`echo started; ${nap}`);
  const attempt = start(spec);
  const proof = await attempt.terminate({ signal: 'TERM', graceMs: 20_000 });
  expect(proof.remaining).toBe(0);
  expect(await attempt.ended).toMatchObject({ kind: 'signalled' });
  expect(processesWith(nap)).toEqual([]);
  expect(processesOf(spec.attemptDir)).toEqual([]);
});

test('a script that has just begun keeps its grace period when the wall clock is set forward', async () => {
  const { now } = systemClock;
  let aheadMs = 0;
  Object.assign(systemClock, {
    now() {
      aheadMs += 3_600_000;
      return now() + aheadMs;
    },
  });
  onTestFinished(() => void Object.assign(systemClock, { now }));
  const attempt = start(sample(nap));
  const proof = await attempt.terminate({ signal: 'TERM', graceMs: 20_000 });
  expect(proof.signals).toEqual([{ signal: 'TERM', at, processes: expect.any(Number) }]);
});

test('ending an attempt twice sends the signals once, and ending an ended attempt sends no signal', async () => {
  const { attempt } = await ready(`echo ready; ${nap}`);
  const first = attempt.terminate({ signal: 'TERM', graceMs: 20_000 });
  expect(attempt.terminate({ signal: 'KILL', graceMs: 0 })).toBe(first);
  expect((await first).signals.map(({ signal }) => signal)).toEqual(['TERM']);

  const over = start(sample('true'));
  await over.ended;
  expect(await over.terminate({ signal: 'TERM', graceMs: 20_000 })).toEqual({
    signals: [],
    remaining: 0,
    proven: true,
    finished_at: at,
  });
});

test('a shim that is killed as soon as it starts leaves no process', async () => {
  for (let round = 0; round < 20; round++) {
    const spec = sample(nap);
    const attempt = start(spec);
    const status = join(spec.attemptDir, 'status');
    const isNamed = (): boolean => existsSync(status) && readFileSync(status, 'utf8').includes('\n');
    while (!isNamed()) await yieldNow();
    process.kill(shimOf(spec), 'SIGKILL');
    expect(await attempt.ended).toMatchObject({ kind: expect.stringMatching(/^(lost|not-started|signalled)$/) });
    expect(processesOf(spec.attemptDir)).toEqual([]);
  }
  expect(processesWith(nap)).toEqual([]);
});

test('when bwrap is killed before its sandbox is bound to it, the attempt ends and no process is left', async () => {
  const killed = { kind: 'lost', message: 'bubblewrap was killed, and its sandbox was ended with it' };
  const failed = { kind: 'not-started', message: 'the sandbox could not be started' };
  for (let round = 0; round < 10; round++) {
    const spec = sample(nap);
    const attempt = start(spec);
    process.kill(await bwrapWithChild(spec), 'SIGKILL');
    expect([killed, failed]).toContainEqual(await attempt.ended);
    expect(processesOf(spec.attemptDir)).toEqual([]);
  }
  expect(processesWith(nap)).toEqual([]);
});

test('when the shim is killed its processes end, and the attempt is lost', async () => {
  const spec = sample(`echo ready; setsid ${nap}`);
  const attempt = start(spec);
  await expect.poll(() => processesWith(nap)).toContainEqual(asleep);
  process.kill(shimOf(spec), 'SIGKILL');
  expect(await attempt.ended).toEqual({ kind: 'lost' });
  expect(processesWith(nap)).toEqual([]);
});
