// The shim as a fork of the fork server: what it keeps in memory and on the disk, how it is recognized, and that no
// variable of a job changes it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openForkServer } from '../../src/exec/proc/fork-server.ts';
import { launch } from '../../src/exec/proc/launch.ts';
import { helpersOf } from '../../src/exec/proc/process-table.ts';
import { printed, run, sample, shimOf, start, succeeded, temporaryFolder } from './sample.ts';

const waits = 'echo ready; until [[ -e go ]]; do sleep 0.02; done';

/** All memory that the process may write to, as text. */
function memoryOf(pid: number): string {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    return readFileSync(`/proc/${pid}/maps`, 'latin1')
      .split('\n')
      .flatMap((line) => {
        const [, from = '0', to = '0'] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
        const start = Number.parseInt(from, 16);
        const bytes = Buffer.alloc(Number.parseInt(to, 16) - start);
        return bytes.length > 0 ? bytes.toString('latin1', 0, readSync(memory, bytes, 0, bytes.length, start)) : [];
      })
      .join('\n');
  } finally {
    closeSync(memory);
  }
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
}

test('a secret is written to no file, and is not in the memory of a later shim', async () => {
  const dir = join(temporaryFolder(), 'pipes');
  const server = openForkServer(dir);
  onTestFinished(() => server.close());
  const begin = (spec: ReturnType<typeof sample>) => ({ spec, attempt: launch(spec, server) });
  const secret = 'correct horse battery staple';
  const holder = begin(
    sample(
      `[[ $TOKEN == '${secret}' && $OF_STEP == '${secret}' && $(< "$FLWD_SECRETS_DIR/key") == "$TOKEN" ]]; ${waits}`,
      {
        env: { TOKEN: { secret: 'key' } },
        variables: { OF_STEP: secret },
        secrets: { key: secret },
      },
    ),
  );
  await expect.poll(() => printed(holder.spec).lines).toEqual(['ready']);
  const later = begin(sample(waits));
  await expect.poll(() => printed(later.spec).lines).toEqual(['ready']);

  const options = readFileSync(join(holder.spec.attemptDir, 'sandbox'), 'latin1');
  expect(options).toContain('FLWD_RUN_ID\0run_01');
  expect(filesBelow(holder.spec.attemptDir).filter((text) => text.includes(secret))).toEqual([]);
  expect(memoryOf(shimOf(holder.spec))).toContain(holder.spec.attemptDir);
  expect(memoryOf(shimOf(later.spec))).toContain(later.spec.attemptDir);
  expect(memoryOf(shimOf(later.spec))).not.toContain(secret);
  for (const { spec, attempt } of [holder, later]) {
    writeFileSync(join(spec.workspaceDir, 'go'), '');
    expect(await attempt.ended).toEqual(succeeded);
  }
});

test('a job may have variables with the same names as those of the shim', async () => {
  const names =
    'attempt_dir bwrap command core_limit filter handoff hidden is_guarded may_dump number order pipes shim stat';
  const secrets = { key: 'its value' };
  const env = Object.fromEntries(names.split(' ').map((name) => [name, { secret: 'key' }]));
  const { end, lines } = await run('', { ulcProfile: 'ulc.exec', command: ['env'], env, secrets });
  expect(end).toEqual(succeeded);
  expect(lines).toEqual(expect.arrayContaining(names.split(' ').map((name) => `${name}=its value`)));
});

test('three thousand variables reach the job, more than bwrap accepts as options', async () => {
  const args = Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`number-${index}`, index]));
  const { end, lines } = await run('', { ulcProfile: 'ulc.exec', command: ['env'], args });
  expect(end).toEqual(succeeded);
  expect(lines.filter((line) => /^FLWD_ARG_NUMBER_\d+=\d+$/.test(line))).toHaveLength(3_000);
});

test('sixty secrets reach the job, although bash uses a descriptor among theirs', async () => {
  const secrets = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`key${index}`, `value ${index}`]));
  const { end, text } = await run('cat "$FLWD_SECRETS_DIR"/key{0..59}', { secrets });
  expect(end).toEqual(succeeded);
  expect(text).toBe(Object.values(secrets).join(''));
});

test.each([4_080, 4_089, 4_090, 4_091, 4_096, 10_000])(
  'a line of stderr of %d bytes is marked once',
  async (length) => {
    const { text } = await run(`head -c ${length} /dev/zero | tr '\\0' x >&2; echo >&2; echo next >&2`);
    expect(text).toBe(`^E${'x'.repeat(length)}\n^Enext\n`);
  },
);

test('the processes of an attempt are found through a linked path too, without those that only read its status file', async () => {
  const spec = sample(waits);
  const attempt = start(spec);
  await expect.poll(() => printed(spec).lines).toEqual(['ready']);
  const link = join(temporaryFolder(), 'link');
  symlinkSync(spec.attemptDir, link);
  const status = openSync(join(spec.attemptDir, 'status'), 'r');
  const reader = spawn('sleep', ['3600'], { stdio: ['ignore', 'ignore', 'ignore', status] });
  onTestFinished(() => void reader.kill('SIGKILL'));
  closeSync(status);
  await once(reader, 'spawn');
  const found = helpersOf(link);
  expect(found).toContain(shimOf(spec));
  expect(found).not.toContain(reader.pid);
  expect(helpersOf(spec.attemptDir).length).toBeGreaterThan(1);
  writeFileSync(join(spec.workspaceDir, 'go'), '');
  expect(await attempt.ended).toEqual(succeeded);
  expect(helpersOf(spec.attemptDir)).toEqual([]);
});

test('orders with and without secrets can be given at the same time', async () => {
  const dir = join(temporaryFolder(), 'pipes');
  mkdirSync(dir);
  const server = openForkServer(dir);
  onTestFinished(() => server.close());
  const secrets = { key: 'x'.repeat(100_000) };
  const ends = await Promise.all([
    launch(sample('true', { secrets }), server).ended,
    launch(sample('true'), server).ended,
    launch(sample('true', { secrets }), server).ended,
  ]);
  expect(ends).toEqual([succeeded, succeeded, succeeded]);
});
