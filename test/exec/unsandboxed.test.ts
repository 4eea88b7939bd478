// Attempts without a sandbox, of the profile `disabled` on a host without bubblewrap (ADR 0031).

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AttemptLimits, LimitedSpec } from '../../src/exec/proc/attempt-groups.ts';
import { launch } from '../../src/exec/proc/launch.ts';
import { isRunAlive } from '../../src/exec/proc/live-attempts.ts';
import { resumeAttempt } from '../../src/exec/proc/resume-attempt.ts';
import { readStatus } from '../../src/exec/proc/shim-status.ts';
import { endProcessesOf, killProcessesWith, processesWith } from '../support/processes.ts';
import { forkServer, nap, printed, run, type Sample, sample, shimOf, start, succeeded } from './sample.ts';
import { serialized } from './serialized.ts';

const unsandboxed: Sample = { profile: 'disabled', isSandboxed: false };

/** Processes in another session and another process group, whose parent has ended. */
const daemon = `( setsid bash -c '${nap} & ${nap} & wait' < /dev/null > /dev/null 2>&1 & )`;
/** The same processes with an empty environment. */
const bareDaemon = `setsid env -i /bin/bash -c '${nap} & exec ${nap}' < /dev/null > /dev/null 2>&1 &`;

function startServer(spec: LimitedSpec): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'programs', 'launcher.ts')], {
    env: { ...process.env, SPEC: serialized(spec) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function napping(count: number): Promise<void> {
  await expect.poll(() => processesWith(nap).length).toBeGreaterThanOrEqual(count);
}

test('a script without a sandbox gets its folders, arguments, secrets, helpers and streams', async () => {
  const { end, spec, lines } = await run(
    `echo "$name in $(basename "$PWD") of $HOME"; cat "$FLWD_SECRETS_DIR/token"; echo
     flwd_log info hello; echo e >&2; echo kept > file; flwd_result '{"ok": true}'; flwd_artifact file
     bash -c 'flwd_log warn "by the program"'; [[ $FLWD_JOB_DIR/run.sh -ef $0 ]]; exit 3`,
    {
      ...unsandboxed,
      args: { name: 'a name' },
      argspec: { properties: { name: { type: 'string' } } },
      secrets: { token: 's3cret' },
    },
  );
  expect(end).toEqual({ kind: 'exited', code: 3 });
  expect(lines.toSorted()).toEqual(
    [`a name in workspace of ${spec.workspaceDir}`, 's3cret', '^ihello', '^Ee', '^wby the program'].toSorted(),
  );
  expect(readFileSync(join(spec.workspaceDir, 'file'), 'utf8')).toBe('kept\n');
  expect(readFileSync(join(spec.attemptDir, 'out', 'result.json'), 'utf8')).toBe('{"ok": true}\n');
  expect(readFileSync(join(spec.attemptDir, 'out', 'artifacts'), 'utf8')).toContain('"name":null');
  expect(existsSync(join(spec.attemptDir, 'secrets'))).toBe(false);
});

test('the script gets variables with any name, even names that the shim uses, and no descriptors but its own', async () => {
  const { end, lines } = await run(
    // Bash has its script open at descriptor 255.
    `echo "$number $command $stat"
     for fd in /proc/$$/fd/*; do [[ $fd == */255 || $fd -ef /dev/null || ! -e $fd ]] || printf '%s ' "\${fd##*/}"; done; echo`,
    { ...unsandboxed, env: { number: 'seven', command: 'eight', stat: 'nine' } },
  );
  expect(end).toEqual(succeeded);
  expect(lines).toEqual(['seven eight nine', '1 2 ']);
});

test('a signal that ends the script and a program that cannot be started are reported', async () => {
  expect((await run('kill -TERM $$', unsandboxed)).end).toEqual({ kind: 'signalled', signal: 'TERM' });
  const exec: Sample = { ...unsandboxed, ulcProfile: 'ulc.exec' };
  expect((await run('', { ...exec, command: ['no-such-program'] })).end).toEqual({
    kind: 'not-started',
    message: 'its program cannot be started: there is no such program on this host',
  });
  expect((await run('#!/bin/sh\nexit 127', { ...exec, command: ['./tool'] })).end).toEqual({
    kind: 'exited',
    code: 127,
  });
});

describe('a failed start is reported without mentioning a sandbox or a path of the host', () => {
  const exec: Sample = { ...unsandboxed, ulcProfile: 'ulc.exec' };
  const limits: AttemptLimits = {
    host: {
      memory: { by: 'rlimit', detail: '' },
      pids: { by: 'none', detail: '' },
      cpu: { by: 'none', detail: '' },
    },
    resources: { memoryBytes: 512 * 1024 * 1024, pids: null, cpu: null, workspaceBytes: null },
  };
  const interpreter = 'its program cannot be started: the program that its first line names does not exist';

  test.each<[string, Sample, string, string]>([
    ['an interpreter that is not there', {}, '#!/no/such\n', interpreter],
    ['the same behind a limit', { limits }, '#!/no/such\n', interpreter],
    [
      'a missing file behind a limit',
      { limits, command: ['./gone'] },
      '',
      'its program cannot be started: there is no such program on this host',
    ],
  ])('because of %s', async (_what, o, script, message) => {
    const { end, lines } = await run(script, { ...exec, ...o });
    expect(end).toEqual({ kind: 'not-started', message });
    expect(lines).toEqual([]);
  });

  test('because the folder to start in is gone', async () => {
    const spec = sample('true', unsandboxed);
    const { ended } = launch(spec, {
      run(order) {
        rmSync(spec.workspaceDir, { recursive: true });
        return forkServer.run(order);
      },
    });
    expect(await ended).toEqual({ kind: 'not-started', message: 'the script could not be started' });
  });

  test('because of an error of flwd itself', async () => {
    const error = new Error('a bug');
    const broken = { run: () => Promise.reject(error) };
    expect(await launch(sample('true', unsandboxed), broken).ended).toEqual({
      kind: 'not-started',
      message: 'the script could not be started',
      cause: error,
    });
  });
});

test('a script that kills its waiting parent is reported as lost, not as never started', async () => {
  const { end } = await run('kill -KILL $PPID', unsandboxed);
  expect(end).toEqual({ kind: 'lost' });
});

test('background processes end with the script, wherever they are, even if they hold the output open', async () => {
  const spec = sample(
    `setsid ${nap} & ${daemon}\nuntil [[ -e go ]]; do sleep 0.05; done; echo before; kill 0`,
    unsandboxed,
  );
  const { ended } = start(spec);
  await napping(3);
  writeFileSync(join(spec.workspaceDir, 'go'), '');
  expect(await ended).toEqual({ kind: 'signalled', signal: 'TERM' });
  expect(printed(spec).lines).toEqual(['before']);
  expect(processesWith(nap)).toEqual([]);
});

test('a cancel ends the script’s processes, including daemons, and says that this proves nothing', async () => {
  const spec = sample(`trap '' TERM; ${daemon}\n${bareDaemon}\n${nap}`, unsandboxed);
  const attempt = start(spec);
  await napping(4);
  const proof = await attempt.terminate({ signal: 'TERM', graceMs: 100 });
  expect(proof).toMatchObject({ signals: [{ signal: 'TERM' }, { signal: 'KILL' }], remaining: 0, proven: false });
  expect(await attempt.ended).toEqual({ kind: 'signalled', signal: 'KILL' });
  expect(processesWith(nap)).toEqual([]);
});

test('a script whose shim is killed is ended and lost', async () => {
  const spec = sample(`${daemon}\n${nap}`, unsandboxed);
  const attempt = start(spec);
  await napping(3);
  process.kill(shimOf(spec), 'SIGKILL');
  expect(await attempt.ended).toEqual({ kind: 'lost' });
  expect(processesWith(nap)).toEqual([]);
});

test('a script outlives its server, and the next server resumes or ends it', async () => {
  const spec = sample(`echo one; ${daemon}\nuntil [[ -e go ]]; do sleep 0.05; done; echo two`, unsandboxed);
  const server = startServer(spec);
  await napping(2);
  server.kill('SIGKILL');
  await once(server, 'close');
  const runDir = join(spec.attemptDir, '..');
  expect(isRunAlive(runDir)).toBe(true);
  const resumed = resumeAttempt(spec.attemptDir);
  await run(`touch ${spec.workspaceDir}/go`, unsandboxed);
  expect(await resumed?.ended).toEqual(succeeded);
  expect(printed(spec).lines).toEqual(['one', 'two']);
  expect(processesWith(nap)).toEqual([]);
  expect(isRunAlive(runDir)).toBe(false);
});

test('the script’s secrets are removed at its end, even without a server, and when it could not be started', async () => {
  const spec = sample('until [[ -e go ]]; do sleep 0.05; done', { ...unsandboxed, secrets: { token: 's3cret' } });
  const secrets = join(spec.attemptDir, 'secrets');
  const server = startServer(spec);
  await expect.poll(() => existsSync(join(secrets, 'token'))).toBe(true);
  await expect.poll(() => readStatus(spec.attemptDir)?.script).toBeDefined();
  server.kill('SIGKILL');
  await once(server, 'close');
  writeFileSync(join(spec.workspaceDir, 'go'), '');
  await expect.poll(() => existsSync(secrets)).toBe(false);
  expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual(succeeded);

  const refusing = { run: () => Promise.reject(new Error('no shell')) };
  const refused = sample('true', { ...unsandboxed, secrets: { token: 's3cret' } });
  expect(await launch(refused, refusing).ended).toMatchObject({ kind: 'not-started' });
  expect(existsSync(join(refused.attemptDir, 'secrets'))).toBe(false);
});

describe('secrets of a script are removed by the next server', () => {
  const withSecret: Sample = { ...unsandboxed, secrets: { token: 's3cret' } };

  async function killedServer(spec: LimitedSpec): Promise<string> {
    const token = join(spec.attemptDir, 'secrets', 'token');
    const server = startServer(spec);
    await expect.poll(() => existsSync(token)).toBe(true);
    await napping(1);
    server.kill('SIGKILL');
    await once(server, 'close');
    return token;
  }

  function killShim(spec: LimitedSpec): void {
    process.kill(-shimOf(spec), 'SIGKILL');
  }
  function killAll(spec: LimitedSpec): void {
    killShim(spec);
    process.kill(-(readStatus(spec.attemptDir)?.script?.pid ?? NaN), 'SIGKILL');
  }

  test.each([
    ['its shim was killed', killShim],
    ['its shim and its script were killed', killAll],
  ])('when %s while no server ran', async (_what, kill) => {
    const spec = sample(nap, withSecret);
    const token = await killedServer(spec);
    kill(spec);
    expect(existsSync(token)).toBe(true);
    expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual({ kind: 'lost' });
    expect(existsSync(token)).toBe(false);
  });

  test('when the shim never began', async () => {
    const spec = sample(nap, withSecret);
    const token = await killedServer(spec);
    killAll(spec);
    rmSync(join(spec.attemptDir, 'status'));
    expect(resumeAttempt(spec.attemptDir)).toBeUndefined();
    expect(existsSync(token)).toBe(false);
  });

  test('or at once when the host cannot start the script for the moment', () => {
    const lack = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    const full = {
      run() {
        throw lack;
      },
    };
    const spec = sample(nap, withSecret);
    expect(() => launch(spec, full)).toThrow(lack);
    expect(existsSync(join(spec.attemptDir, 'secrets'))).toBe(false);
  });
});

test('processes whose shim was killed while no server ran are ended by the next server', async () => {
  const spec = sample(`${daemon}\n${nap}`, unsandboxed);
  const server = startServer(spec);
  await napping(3);
  server.kill('SIGKILL');
  await once(server, 'close');
  process.kill(-shimOf(spec), 'SIGKILL');
  expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual({ kind: 'lost' });
  expect(processesWith(nap)).toEqual([]);
});

test.each([
  ['has gone', `${nap} & echo "$$"`],
  ['is a zombie', `set -m; (${nap} & echo "$BASHPID") & exec sleep 60`],
])('a process group that now has the script’s number, and whose leader %s, is left alone', async (_what, script) => {
  const { spec } = await run('true', unsandboxed);
  const other = spawn('bash', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => {
    other.kill('SIGKILL');
    killProcessesWith(nap);
  });
  const [said] = await once(other.stdout, 'data');
  await napping(1);
  await expect.poll(() => processesWith(nap)).toEqual([{ pid: expect.any(Number), command: nap }]);
  appendFileSync(join(spec.attemptDir, 'status'), `{"script":${Number(said)},"start_ticks":1}\n`);
  expect(isRunAlive(join(spec.attemptDir, '..'))).toBe(false);
  expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual(succeeded);
  expect(processesWith(nap)).toHaveLength(1);
});

test('a server that a script has started does not end itself or its ancestors', async () => {
  const { spec } = await run('true', unsandboxed);
  onTestFinished(() => endProcessesOf(spec.attemptDir));
  const program = join(import.meta.dirname, 'programs', 'kill-domain.ts');
  const script = `${nap} & "$@"; echo after`;
  const parent = spawn('bash', ['-c', script, 'bash', process.execPath, program, spec.attemptDir], {
    env: { ...process.env, FLWD_ARGS_FILE: join(spec.attemptDir, 'in', 'args.json') },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  let said = '';
  parent.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(parent, 'close');
  expect(said).toBe('{"found":1,"left":0}\nafter\n');
  expect(processesWith(nap)).toEqual([]);
});

describe('when somebody removes the folder of an attempt', () => {
  const lost = { kind: 'lost', message: 'its folder in the data dir was removed while it ran' };

  test('its processes are ended, which does not prove that no process is left', async () => {
    const spec = sample(`${daemon}\n${nap}`, unsandboxed);
    const attempt = start(spec);
    await napping(3);
    rmSync(spec.attemptDir, { recursive: true });
    expect(await attempt.ended).toEqual(lost);
    expect(processesWith(nap)).toEqual([]);
    expect(await attempt.terminate({ signal: 'TERM', graceMs: 100 })).toMatchObject({ remaining: 0, proven: false });
  });

  test('while no server runs, the next server ends it, and does not start it a second time', async () => {
    const spec = sample(nap, unsandboxed);
    const server = startServer(spec);
    await napping(1);
    server.kill('SIGKILL');
    await once(server, 'close');
    rmSync(spec.attemptDir, { recursive: true });
    expect(await resumeAttempt(spec.attemptDir)?.ended).toEqual(lost);
    expect(processesWith(nap)).toEqual([]);
  });
});
