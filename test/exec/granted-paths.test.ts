// bwrap may mount a grant at another place than it was told, or mount something else at its place. That happens if
// somebody swaps folders above either path for links, and perhaps swaps them back afterwards. Then no script may start.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LimitedSpec } from '../../src/exec/proc/attempt-groups.ts';
import { processesOf } from '../support/processes.ts';
import { mountDisk, testWithDisk } from '../support/small-disk.ts';
import { printed, type Sample, sample, temporaryFolder } from './sample.ts';
import { serialized } from './serialized.ts';

type Host = { readonly host: string; readonly grants: Pick<Sample, 'read' | 'write' | 'profile'> };
type Led = { readonly bind?: string; readonly source?: string; readonly place?: string; readonly before?: string };

/** The name has characters that the kernel escapes in its list of mounts. */
function hostOf(name = 'a granted \\ folder'): Host & { readonly path: string } {
  const host = realpathSync(temporaryFolder());
  for (const folder of ['bin', 'open', 'open/other', `open/a granted \\ folder`]) mkdirSync(join(host, folder));
  for (const file of ['file', 'other file']) writeFileSync(join(host, 'open', file), file);
  const path = join(host, 'open', name);
  return { host, path, grants: { read: [path] } };
}

/**
 * Runs with a bwrap that mounts as `led` says, although its options (`--args 10`) tell it to mount the grant at its
 * place.
 */
async function ran({ host, grants }: Host, led: Led): Promise<{ end: string; spec: LimitedSpec }> {
  const bin = join(host, 'bin');
  const [granted = ''] = grants.read ?? [];
  const { bind = '--ro-bind', source = granted, place = granted, before = '' } = led;
  const script = `#!/bin/bash
mapfile -d '' words <&10
set -- "\${words[@]}" -- "$@"
words=()
while [[ $1 != -- ]]; do
  if [[ $1 == --ro-bind && $2 == '${granted}' ]]; then
    words+=('${bind}' '${source}' '${place}')
    shift 3
  else
    words+=("$1")
    shift
  fi
done
shift
exec 10< <(printf '%s\\0' "\${words[@]}")
${before}
exec /usr/bin/bwrap "$@"
`;
  writeFileSync(join(bin, 'bwrap'), script);
  chmodSync(join(bin, 'bwrap'), 0o755);
  const spec = sample('echo started', grants);
  const server = spawn(process.execPath, [join(import.meta.dirname, 'programs', 'launcher.ts')], {
    env: { ...process.env, PATH: `${bin}:/usr/bin:/bin`, SPEC: serialized(spec) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  server.stdout.setEncoding('utf8').on('data', (text: string) => said.push(text));
  await once(server, 'close');
  return { end: said.join('').split('\n')[1] ?? '', spec };
}

async function endOf(on: Host, led: Led): Promise<{ end: unknown; lines: string[]; message: string }> {
  const { end, spec } = await ran(on, led);
  const { message = '', ...rest } = JSON.parse(end);
  return { end: rest, message, lines: printed(spec).lines };
}

/** The shim's parent is the fork server, whose parent is the server. */
const endServer = `read -r _ _ _ fork_server _ </proc/$PPID/stat
read -r _ _ _ server _ </proc/$fork_server/stat
kill -KILL "$server"`;

const refused = {
  end: { kind: 'not-started' },
  message: 'a path that the job was granted was moved while it started',
  lines: ['^Ebwrap: Race condition: a grant is not in its place'],
};
const started = { end: { kind: 'exited', code: 0 }, message: '', lines: ['started'] };

test.each(['a granted \\ folder', 'file'])(
  'a job with the grant %s starts when bwrap has mounted the granted path',
  async (name) => {
    expect(await endOf(hostOf(name), {})).toEqual(started);
  },
);

test('a job does not start when bwrap has mounted its grant at another place', async () => {
  const on = hostOf();
  expect(await endOf(on, { place: join(on.host, 'open', 'elsewhere') })).toEqual(refused);
});

test('a job does not start when its grant is visible only through another grant', async () => {
  const on = hostOf();
  const grants = { ...on.grants, write: [join(on.host, 'open')] };
  expect(await endOf({ ...on, grants }, { place: join(on.host, 'open', 'other') })).toEqual(refused);
  expect(await endOf({ ...on, grants }, {})).toEqual(started);
});

testWithDisk(
  'a job does not start when its grant is a mount point that is visible only through the grant above',
  async () => {
    const on = hostOf();
    mountDisk(on.path, 1);
    const grants = { ...on.grants, write: [join(on.host, 'open')] };
    expect(await endOf({ ...on, grants }, { place: join(on.host, 'open', 'other') })).toEqual(refused);
    expect(await endOf({ ...on, grants }, {})).toEqual(started);
    const nested = { ...grants, write: [on.host, join(on.host, 'open')] };
    expect(await endOf({ ...on, grants: nested }, { place: join(on.host, 'open', 'other') })).toEqual(refused);
  },
);

test.each([
  ['folder', 'a granted \\ folder', 'open/other'],
  ['file', 'file', 'open/other file'],
  ['folder that the granted one lies in', 'a granted \\ folder', 'open'],
])('a job does not start when another %s is mounted in place of its grant', async (_, name, source) => {
  const on = hostOf(name);
  expect(await endOf(on, { source: join(on.host, source) })).toEqual(refused);
});

test.each([
  ['a link', 'ln -s other'],
  ['another folder', 'mkdir'],
])('a job does not start when %s replaced its granted path after the check', async (_, put) => {
  const on = hostOf();
  const before = `cd '${on.host}/open' && mv '${on.path}' old && ${put} '${on.path}'`;
  expect(await endOf(on, { before })).toEqual(refused);
});

test('a job does not start when its read grant is mounted writable', async () => {
  expect(await endOf(hostOf(), { bind: '--bind' })).toEqual(refused);
});

test('a path with a read and a write grant has one writable mount', async () => {
  const on = hostOf();
  const grants = { ...on.grants, write: on.grants.read ?? [] };
  expect(await endOf({ ...on, grants }, { bind: 'never' })).toEqual(started);
});

test('a job does not start when the server ends during the check, and no process keeps waiting', async () => {
  const { end, spec } = await ran(hostOf(), { before: endServer });
  expect(end).toBe('');
  await expect.poll(() => processesOf(spec.attemptDir)).toEqual([]);
  expect(printed(spec).lines).toEqual([]);
});
