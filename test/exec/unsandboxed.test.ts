// Attempts without a sandbox, of the profile `disabled` on a host without bubblewrap (ADR 0031).

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { adopt } from '../../src/exec/adopt.ts';
import type { AttemptSpec } from '../../src/exec/attempt-spec.ts';
import { launch } from '../../src/exec/launch.ts';
import { isRunAlive } from '../../src/exec/live-attempts.ts';
import { readStatus } from '../../src/exec/shim-status.ts';
import { killProcessesWith, processesWith } from '../support/processes.ts';
import { nap, printed, run, type Sample, sample, shimOf, start, succeeded } from './sample.ts';
import { serialized } from './serialized.ts';

const unsandboxed: Sample = { profile: 'disabled', isSandboxed: false };

/** Another session, another group, and a parent that has ended. */
const daemon = `( setsid bash -c '${nap} & ${nap} & wait' < /dev/null > /dev/null 2>&1 & )`;
/** The same, and nothing in its environment. */
const bareDaemon = `setsid env -i /bin/bash -c '${nap} & exec ${nap}' < /dev/null > /dev/null 2>&1 &`;

function startServer(spec: AttemptSpec): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'programs', 'launcher.ts')], {
    env: { ...process.env, SPEC: serialized(spec) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function napping(count: number): Promise<void> {
  await expect.poll(() => processesWith(nap).length).toBeGreaterThanOrEqual(count);
}

test('a script runs on the host as it is, with its own places, arguments, secrets, helpers and streams', async () => {
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

test('it has the environment that it was given, and no descriptor but its own', async () => {
  const { end, lines } = await run(
    // Bash has its script open, at 255.
    `echo "$number $command $stat"
     for fd in /proc/$$/fd/*; do [[ $fd == */255 || $fd -ef /dev/null || ! -e $fd ]] || printf '%s ' "\${fd##*/}"; done; echo`,
    { ...unsandboxed, env: { number: 'seven', command: 'eight', stat: 'nine' } },
  );
  expect(end).toEqual(succeeded);
  expect(lines).toEqual(['seven eight nine', '1 2 ']);
});

test('a signal that ends it, and a program that cannot be started, are told', async () => {
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

test('what it leaves in the background is ended with it, wherever it can be found, and delays nothing', async () => {
  const { end, spec } = await run(`${nap} & ${daemon}\nsleep 0.3; echo before; kill 0`, unsandboxed);
  expect(end).toEqual({ kind: 'signalled', signal: 'TERM' });
  expect(printed(spec).lines).toEqual(['before']);
  expect(processesWith(nap)).toEqual([]);
});

test('a cancel ends its tree, daemons too, and says that this is no proof', async () => {
  const spec = sample(`trap '' TERM; ${daemon}\n${bareDaemon}\n${nap}`, unsandboxed);
  const attempt = start(spec);
  await napping(4);
  const proof = await attempt.terminate({ signal: 'TERM', graceMs: 100 });
  expect(proof).toMatchObject({ signals: [{ signal: 'TERM' }, { signal: 'KILL' }], remaining: 0, proven: false });
  expect(await attempt.ended).toEqual({ kind: 'signalled', signal: 'KILL' });
  expect(processesWith(nap)).toEqual([]);
});

test('where its shim is killed, it is ended and lost', async () => {
  const spec = sample(`${daemon}\n${nap}`, unsandboxed);
  const attempt = start(spec);
  await napping(3);
  process.kill(shimOf(spec), 'SIGKILL');
  expect(await attempt.ended).toEqual({ kind: 'lost' });
  expect(processesWith(nap)).toEqual([]);
});

test('it outlives its server, and the next one takes it up, or ends it', async () => {
  const spec = sample(`echo one; ${daemon}\nuntil [[ -e go ]]; do sleep 0.05; done; echo two`, unsandboxed);
  const server = startServer(spec);
  await napping(2);
  server.kill('SIGKILL');
  await once(server, 'close');
  const runDir = join(spec.attemptDir, '..');
  expect(isRunAlive(runDir)).toBe(true);
  const adopted = adopt(spec.attemptDir);
  await run(`touch ${spec.workspaceDir}/go`, unsandboxed);
  expect(await adopted?.ended).toEqual(succeeded);
  expect(printed(spec).lines).toEqual(['one', 'two']);
  expect(processesWith(nap)).toEqual([]);
  expect(isRunAlive(runDir)).toBe(false);
});

test('its secrets are gone with its end, though no server is there, and where it could not be started', async () => {
  const spec = sample('until [[ -e go ]]; do sleep 0.05; done', { ...unsandboxed, secrets: { token: 's3cret' } });
  const secrets = join(spec.attemptDir, 'secrets');
  const server = startServer(spec);
  await expect.poll(() => existsSync(join(secrets, 'token'))).toBe(true);
  await expect.poll(() => readStatus(spec.attemptDir)?.script).toBeDefined();
  server.kill('SIGKILL');
  await once(server, 'close');
  writeFileSync(join(spec.workspaceDir, 'go'), '');
  await expect.poll(() => existsSync(secrets)).toBe(false);
  expect(await adopt(spec.attemptDir)?.ended).toEqual(succeeded);

  const refusing = { run: () => Promise.reject(new Error('no shell')), close: () => Promise.resolve() };
  const refused = sample('true', { ...unsandboxed, secrets: { token: 's3cret' } });
  expect(await launch(refused, refusing).ended).toMatchObject({ kind: 'not-started' });
  expect(existsSync(join(refused.attemptDir, 'secrets'))).toBe(false);
});

test('what was left while no server was there is ended by the next', async () => {
  const spec = sample(`${daemon}\n${nap}`, unsandboxed);
  const server = startServer(spec);
  await napping(3);
  server.kill('SIGKILL');
  await once(server, 'close');
  process.kill(-shimOf(spec), 'SIGKILL');
  expect(await adopt(spec.attemptDir)?.ended).toEqual({ kind: 'lost' });
  expect(processesWith(nap)).toEqual([]);
});

test.each([
  ['has gone', `${nap} & echo "$$"`],
  ['is a zombie', `set -m; (${nap} & echo "$BASHPID") & exec sleep 60`],
])('a group that has the number of its own, and whose leader %s, is left alone', async (_what, script) => {
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
  expect(await adopt(spec.attemptDir)?.ended).toEqual(succeeded);
  expect(processesWith(nap)).toHaveLength(1);
});

test('a server that it has started spares itself and those that it descends from', async () => {
  const { spec } = await run('true', unsandboxed);
  onTestFinished(() => killProcessesWith(spec.attemptDir));
  const program = join(import.meta.dirname, 'programs', 'kill-domain.ts');
  const script = `${nap} & "$@"; echo after`;
  const parent = spawn('bash', ['-c', script, 'bash', process.execPath, program, spec.attemptDir], {
    env: { ...process.env, FLWD_ARGS_FILE: join(spec.attemptDir, 'in', 'args.json') },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 10_000,
    killSignal: 'SIGKILL',
  });
  let said = '';
  parent.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(parent, 'exit');
  expect(said).toBe('{"found":1,"left":0}\nafter\n');
  expect(processesWith(nap)).toEqual([]);
});

describe('where somebody removes its folder', () => {
  const lost = { kind: 'lost', message: 'its folder in the data dir was removed while it ran' };

  test('its tree is ended, and that is no proof', async () => {
    const spec = sample(`${daemon}\n${nap}`, unsandboxed);
    const attempt = start(spec);
    await napping(3);
    rmSync(spec.attemptDir, { recursive: true });
    expect(await attempt.ended).toEqual(lost);
    expect(processesWith(nap)).toEqual([]);
    expect(await attempt.terminate({ signal: 'TERM', graceMs: 100 })).toMatchObject({ remaining: 0, proven: false });
  });

  test('while no server runs, the next one ends it, and does not start it a second time', async () => {
    const spec = sample(nap, unsandboxed);
    const server = startServer(spec);
    await napping(1);
    server.kill('SIGKILL');
    await once(server, 'close');
    rmSync(spec.attemptDir, { recursive: true });
    expect(await adopt(spec.attemptDir)?.ended).toEqual(lost);
    expect(processesWith(nap)).toEqual([]);
  });
});
