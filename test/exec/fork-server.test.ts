// The process that starts the shims: what is left when it ends before its shims, or they end before it.

import { globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type ForkServer, openForkServer } from '../../src/exec/proc/fork-server.ts';
import { launch } from '../../src/exec/proc/launch.ts';
import { processesWith, stateOf } from '../support/processes.ts';
import { nap, printed, sample, succeeded, temporaryFolder } from './sample.ts';

const longWait = { timeout: 60_000, interval: 10 };

function opened(): { dir: string; server: ForkServer; pid: () => number } {
  const dir = join(temporaryFolder(), 'pipes');
  const server = openForkServer(dir);
  server.start();
  onTestFinished(() => server.close());
  const ofThisProcess = (): ReadonlySet<string> => new Set(childrenOf(process.pid));
  function pid(): number {
    const found = processesWith(dir).find((each) => ofThisProcess().has(String(each.pid)));
    // A pid of 0 would mean this test's own process group.
    if (!found) throw new Error('the fork server is not running');
    return found.pid;
  }
  return { dir, server, pid };
}

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
}

test('when the fork server is closed it ends, and its shims continue', async () => {
  const { dir, server, pid } = opened();
  const spec = sample('echo ready; until [[ -e go ]]; do sleep 0.02; done; echo done');
  const attempt = launch(spec, server);
  await vi.waitFor(() => expect(printed(spec).lines).toEqual(['ready']), longWait);
  const forkServer = pid();
  expect(stateOf(forkServer)).toBeDefined();
  await server.close();
  expect(stateOf(forkServer)).toBeUndefined();
  rmSync(dir, { recursive: true });
  writeFileSync(join(spec.workspaceDir, 'go'), '');
  expect(await attempt.ended).toEqual(succeeded);
  expect(printed(spec).lines).toEqual(['ready', 'done']);
});

test('when the fork server is killed, ends of its attempts are still noticed, and a new fork server starts the next one', async () => {
  const { server, pid } = opened();
  const spec = sample(`echo ready; ${nap}`);
  const attempt = launch(spec, server);
  await vi.waitFor(() => expect(printed(spec).lines).toEqual(['ready']), longWait);
  process.kill(pid(), 'SIGKILL');
  // Until the server has noticed the death of the fork server, it cannot start anything.
  await vi.waitFor(async () => expect(await launch(sample('true'), server).ended).toEqual(succeeded), longWait);
  const proof = await attempt.terminate({ signal: 'TERM', graceMs: 20_000 });
  expect(proof).toMatchObject({ signals: [{ signal: 'TERM' }], remaining: 0 });
  expect(await attempt.ended).toEqual({ kind: 'signalled', signal: 'TERM' });
});

test('an attempt that the fork server could not start has not begun, and never will', async () => {
  const { server, pid } = opened();
  process.kill(pid(), 'SIGSTOP');
  const spec = sample('echo begun');
  const attempt = launch(spec, server);
  process.kill(pid(), 'SIGKILL');
  expect(await attempt.ended).toEqual({ kind: 'not-started', message: 'the sandbox could not be started' });
  expect(printed(spec).lines).toEqual([]);
});

test.each(['seccomp-filter', 'pipes-*/[0-9]*'])(
  'when the next server has removed %s, the old one cannot start an attempt, and the next one starts it',
  async (removed) => {
    const { dir, server } = opened();
    expect(await launch(sample('true'), server).ended).toEqual(succeeded);
    for (const path of globSync(removed, { cwd: dir })) rmSync(join(dir, path));
    const attempt = launch(sample('echo begun'), server);
    expect(await attempt.ended).toEqual({ kind: 'not-started', message: 'the sandbox could not be started' });
    expect(attempt.hasBegun()).toBe(false);
  },
);

test('after a hundred attempts the fork server has no zombie and no open descriptor left', async () => {
  const { server, pid } = opened();
  const descriptors = (): number => readdirSync(`/proc/${pid()}/fd`).length;
  expect(await launch(sample('true'), server).ended).toEqual(succeeded);
  await vi.waitFor(() => expect(childrenOf(pid())).toEqual([]), longWait);
  const before = descriptors();
  for (let batch = 0; batch < 10; batch++) {
    const ends = await Promise.all(Array.from({ length: 10 }, () => launch(sample('true'), server).ended));
    expect(ends).toEqual(Array.from({ length: 10 }, () => succeeded));
  }
  await vi.waitFor(() => expect(childrenOf(pid())).toEqual([]), longWait);
  await vi.waitFor(() => expect(descriptors()).toBe(before), longWait);
});

test('when somebody removes the fork server’s folder, a new one starts the next attempt, and running ones continue', async () => {
  const { dir, server } = opened();
  const before = sample('until [[ -e go ]]; do sleep 0.01; done; echo done');
  const first = launch(before, server);
  await vi.waitFor(() => expect(first.hasBegun()).toBe(true), longWait);
  rmSync(dir, { recursive: true });
  expect(await launch(sample('true'), server).ended).toEqual(succeeded);
  writeFileSync(join(before.workspaceDir, 'go'), '');
  expect(await first.ended).toEqual(succeeded);
  expect(printed(before).lines).toEqual(['done']);
});

test('the fork server passes on words of any kind unchanged', async () => {
  const { server } = opened();
  const text = `'"$(id)\\ \`id\` ü \n; exit 3 #`;
  const spec = sample('printf "%s" "$FLWD_ARG_TEXT"; cat "$FLWD_SECRETS_DIR/key"', {
    args: { text },
    secrets: { key: text },
  });
  expect(await launch(spec, server).ended).toEqual(succeeded);
  expect(printed(spec).text).toBe(`${text}${text}`);
});
