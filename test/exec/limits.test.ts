// How limits are enforced on real processes: memory and fork bombs, shares of a core, and what is left of the groups
// afterwards.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { noResources, type Resources } from '../../src/domain/resources.ts';
import { closeLimitHost, type Enforcement, openLimitHost } from '../../src/exec/host/limit-host.ts';
import type { LimitedSpec } from '../../src/exec/proc/attempt-groups.ts';
import { type AttemptLimits, sweepGroups } from '../../src/exec/proc/attempt-groups.ts';
import { resumeAttempt } from '../../src/exec/proc/resume-attempt.ts';
import { endProcessesOf, processesOf } from '../support/processes.ts';
import { printed, run, sample, shimOf, start, succeeded } from './sample.ts';
import { serialized } from './serialized.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'flwd-limits-'));
const host = openLimitHost(dataDir);
afterAll(() => {
  closeLimitHost(host);
  rmSync(dataDir, { recursive: true });
});

const hasCgroups = Object.values(host).every((enforcement) => 'dir' in enforcement);
/** For tests that need cgroups the server may create. In CI they run anyway, and fail. */
const testWithCgroups = test.skipIf(!hasCgroups && !process.env.CI);

function limits(resources: Partial<Resources>): AttemptLimits {
  return { resources: { ...noResources, ...resources }, host };
}

const mebibyte = 2 ** 20;
/** Takes memory until there is no more. This is a process of its own, so that its shell can report the end. */
const allocationBomb = `python3 -c 'b = []
while True: b.append(bytearray(4194304))'`;
const forkBomb = `python3 -c 'import os
while True: os.fork()'`;

function groupsLeft(): string[] {
  return Object.values(host).flatMap((at) =>
    'dir' in at
      ? readdirSync(at.dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
      : [],
  );
}

describe('with cgroups', () => {
  testWithCgroups('a script that exhausts its memory is reported as out of memory, and harms no other', async () => {
    const other = sample('until [[ -e go ]]; do sleep 0.02; done; echo unharmed');
    onTestFinished(() => endProcessesOf(other.attemptDir));
    const neighbour = start(other);
    const { end } = await run(allocationBomb, { limits: limits({ memoryBytes: 64 * mebibyte }) });
    expect(end).toEqual({ kind: 'signalled', signal: 'KILL', outOfMemory: true });
    writeFileSync(join(other.workspaceDir, 'go'), '');
    expect(await neighbour.ended).toEqual(succeeded);
    expect(printed(other).lines).toEqual(['unharmed']);
  });

  testWithCgroups(
    'a script that exits with its own code because a child ran out of memory is still out of memory',
    async () => {
      const { end } = await run(`${allocationBomb} || exit 9`, { limits: limits({ memoryBytes: 64 * mebibyte }) });
      expect(end).toEqual({ kind: 'exited', code: 9, outOfMemory: true });
    },
  );

  testWithCgroups('the process that exceeds the limit may be the script itself', async () => {
    const { end } = await run(`b = []\nwhile True: b.append(bytearray(4194304))`, {
      ulcProfile: 'ulc.python.3',
      limits: limits({ memoryBytes: 64 * mebibyte }),
    });
    expect(end).toEqual({ kind: 'signalled', signal: 'KILL', outOfMemory: true });
  });

  testWithCgroups('a script succeeds if it copes with the end of a child that ran out of memory', async () => {
    const { end } = await run(`${allocationBomb} || echo survived`, { limits: limits({ memoryBytes: 64 * mebibyte }) });
    expect(end).toEqual(succeeded);
  });

  testWithCgroups('a limit that is too small even for the sandbox is reported as out of memory, too', async () => {
    const { end } = await run(':', { limits: limits({ memoryBytes: 64 * 1024 }) });
    expect(end).toEqual({ kind: 'signalled', signal: 'KILL', outOfMemory: true });
  });

  testWithCgroups('memory below the limit can be used as usual', async () => {
    const { end } = await run(`python3 -c 'b = bytearray(33554432)'`, {
      limits: limits({ memoryBytes: 128 * mebibyte }),
    });
    expect(end).toEqual(succeeded);
  });

  testWithCgroups('a fork bomb stops at the limit', async () => {
    const { end, text } = await run(forkBomb, { limits: limits({ pids: 32 }) });
    expect(end).toEqual({ kind: 'exited', code: 1 });
    expect(text).toContain('Resource temporarily unavailable');
  });

  testWithCgroups('a script can have as many processes as its limit', async () => {
    const { end, lines } = await run('for i in {1..7}; do sleep 0.2 & done; wait; echo all', {
      limits: limits({ pids: 8 }),
    });
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['all']);
  });

  testWithCgroups('with a quarter of a core, a script gets a quarter of the CPU time', async () => {
    const { lines } = await run(
      `work() { local end=$((SECONDS + 2)); while (( SECONDS < end )); do :; done; }; work; read -r user _ < <(times); echo "$user"`,
      { limits: limits({ cpu: 0.25 }) },
    );
    const [, minutes = '', seconds = ''] = /^(\d+)m([\d.]+)s/.exec(lines[0] ?? '') ?? [];
    // The loop runs for 1 to 2 s.
    expect(Number(minutes) * 60 + Number(seconds)).toBeLessThan(0.9);
  });

  testWithCgroups('the shim is outside of the group that the kernel may end', async () => {
    const spec = sample('cat /proc/self/cgroup > /dev/null; echo ready; until [[ -e go ]]; do sleep 0.02; done', {
      limits: limits({ memoryBytes: 64 * mebibyte }),
    });
    const attempt = start(spec);
    await expect.poll(() => printed(spec).lines).toContain('ready');
    const members = membersOf(spec);
    expect(members.length).toBeGreaterThan(2);
    expect(members).not.toContain(shimOf(spec));
    writeFileSync(join(spec.workspaceDir, 'go'), '');
    expect(await attempt.ended).toEqual(succeeded);
  });

  testWithCgroups('no cgroup is left after success, failure, a kill or a failed start', async () => {
    const all = limits({ memoryBytes: 64 * mebibyte, pids: 32, cpu: 1 });
    await run('exit 0', { limits: all });
    await run('exit 3', { limits: all });
    await run('', { ulcProfile: 'ulc.exec', command: ['no-such-program'], limits: all });
    const spec = sample(`trap '' TERM; echo ready; sleep 3600 & sleep 3600`, { limits: all });
    const attempt = start(spec);
    await expect.poll(() => printed(spec).lines).toContain('ready');
    expect(groupsLeft()).toEqual(['run_01.1', 'run_01.1', 'run_01.1']);
    await attempt.terminate({ signal: 'TERM', graceMs: 50 });
    await attempt.ended;
    expect(groupsLeft()).toEqual([]);
  });

  testWithCgroups(
    'a server that resumes an attempt finds its cgroups, and learns that it ran out of memory',
    async () => {
      const spec = sample(`echo ready; until [[ -e go ]]; do sleep 0.02; done; ${allocationBomb}`, {
        limits: limits({ memoryBytes: 64 * mebibyte, pids: 32 }),
      });
      await orphan(spec);
      writeFileSync(join(spec.workspaceDir, 'go'), '');
      await expect.poll(() => processesOf(spec.attemptDir)).toEqual([]);
      sweepGroups(host, dirname(dirname(spec.attemptDir)));
      expect(groupsLeft()).toHaveLength(2);
      const outOfMemory = { kind: 'signalled', signal: 'KILL', outOfMemory: true };
      expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual(outOfMemory);
      expect(groupsLeft()).toEqual([]);
      expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual(outOfMemory);
    },
  );

  testWithCgroups('cgroups of unknown attempts are removed at the next start, and cgroups in use stay', async () => {
    for (const at of Object.values(host)) if ('dir' in at) mkdirSync(join(at.dir, 'run_gone.1'), { recursive: true });
    const spec = sample('echo ready; until [[ -e go ]]; do sleep 0.02; done', { limits: limits({ pids: 32 }) });
    const attempt = start(spec);
    await expect.poll(() => printed(spec).lines).toContain('ready');
    sweepGroups(host, dataDir);
    expect(groupsLeft()).toEqual(['run_01.1']);
    writeFileSync(join(spec.workspaceDir, 'go'), '');
    expect(await attempt.ended).toEqual(succeeded);
  });
});

describe('with rlimits', () => {
  const rlimit: Enforcement = { by: 'rlimit', detail: '' };
  const none: Enforcement = { by: 'none', detail: '' };

  test('memory is limited for each process, and flwd cannot tell that a script ran out of it', async () => {
    const { end, text } = await run(allocationBomb, {
      limits: {
        resources: { ...noResources, memoryBytes: 256 * mebibyte },
        host: { cpu: none, memory: rlimit, pids: none },
      },
    });
    expect(end).toEqual({ kind: 'exited', code: 1 });
    expect(text).toContain('MemoryError');
  });

  test('a program that does not exist is reported as a failed start', async () => {
    const { end } = await run('', {
      ulcProfile: 'ulc.exec',
      command: ['no-such-program'],
      limits: { resources: { ...noResources, memoryBytes: 2 ** 30 }, host: { cpu: none, memory: rlimit, pids: none } },
    });
    expect(end).toEqual({
      kind: 'not-started',
      message: 'no-such-program cannot be started: there is no such program on this host',
    });
  });
});

test('when the host itself runs out of memory, the kernel ends a job before the server', async () => {
  const { lines } = await run('cat /proc/self/oom_score_adj');
  expect(lines).toEqual(['1000']);
});

function membersOf(spec: LimitedSpec): number[] {
  const [procsFile = ''] = readFileSync(join(spec.attemptDir, 'cgroups'), 'utf8').split('\n');
  return readFileSync(procsFile, 'utf8').trim().split('\n').map(Number);
}

/** Launches the attempt in another process, and kills that process with SIGKILL once the script has printed `ready`. */
async function orphan(spec: LimitedSpec): Promise<void> {
  const server = spawn(process.execPath, [join(import.meta.dirname, 'programs', 'launcher.ts')], {
    env: { ...process.env, SPEC: serialized(spec) },
    stdio: 'ignore',
  });
  await expect.poll(() => printed(spec).lines).toContain('ready');
  server.kill('SIGKILL');
  await once(server, 'exit');
  expect(existsSync(join(spec.attemptDir, 'cgroups'))).toBe(true);
}
