// A byte of a backup has changed since it was made: everything that is intact comes back, and flwd names the rest.

import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { createFolder, flwd, flwdReading } from './terminal.ts';

const test = testWith('bwrap');
const jobs = {
  small: bash('echo small; echo content >"$FLWD_ARTIFACTS_DIR/note.txt"'),
  // Two full segments and a part of a third one.
  chatty: bash('seq -f "line %.0f of a log that takes more than a segment of four mebibytes, uncompressed" 120000'),
};

/** A backup of two runs of `small` and one of `chatty`, with the keys. */
async function backedUp() {
  const instance = await createInstance(jobs);
  const server = await instance.serve();
  const [first, second, chatty] = [await server.run('small'), await server.run('small'), await server.run('chatty')];
  await server.stop();
  expect(await flwdReading(instance.dir, 'value', 'secrets', 'set', 'token')).toMatchObject({ code: 0 });
  const dest = join(createFolder(), 'backup');
  expect(await flwd(instance.dir, 'backup', '--include-key', dest)).toMatchObject({ code: 0 });
  const runs = { first: first.run_id, second: second.run_id, chatty: chatty.run_id };
  return { instance, dest, runs, artifact: artifactOf(dest, await artifacts(instance, runs.first)) };
}

async function artifacts({ dir }: Instance, runId: string): Promise<string> {
  const { stdout } = await flwd(dir, 'artifacts', runId, '--json');
  const id = /artifact_\w+/.exec(stdout)?.[0];
  if (id === undefined) throw new Error(`no artifact in ${stdout}`);
  return id;
}

function artifactOf(dest: string, id: string): { id: string; path: string } {
  return { id, path: pathOf(dest, `artifacts/*/${id}`) };
}

/** Returns the path of the one file in the backup that matches. */
function pathOf(dest: string, pattern: string): string {
  const [found] = globSync(pattern, { cwd: dest });
  if (found === undefined) throw new Error(`${pattern} is not there`);
  return found;
}

/** Flips a bit of the byte at this distance from the end of the file. */
function flip(path: string, fromEnd = 10): void {
  const bytes = readFileSync(path);
  const at = bytes.length - Math.min(fromEnd, bytes.length);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
}

/** Replaces the character at this offset from the beginning of the words with another digit. */
function alter(path: string, words: string, offset: number): void {
  const text = readFileSync(path, 'utf8');
  const at = text.indexOf(words) + offset;
  writeFileSync(path, `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`);
}

test('a damaged log, artifact or revision is named, and everything else is restored', async () => {
  const { dest, runs, artifact } = await backedUp();
  const segment = pathOf(dest, `logs/*/${runs.chatty}.2.zst`);
  const gone = pathOf(dest, `logs/*/${runs.second}.1.raw`);
  const scripts = globSync('snapshots/*/run.sh', { cwd: dest });
  const script = scripts.find((path) => readFileSync(join(dest, path), 'utf8').includes('note.txt')) ?? '';
  const revision = script.split('/')[1];
  for (const path of [segment, artifact.path, script]) flip(join(dest, path));
  rmSync(join(dest, gone));

  const other = await createInstance(jobs);
  const restored = await flwd(other.dir, 'restore', dest);
  expect(restored).toMatchObject({ code: 1, stdout: expect.stringMatching(/^restored \d+ files from/) });
  const isNot = 'has changed since the backup was made';
  for (const line of [
    `the log of ${runs.chatty}, ${segment}, ${isNot}`,
    `the log of ${runs.second}, ${gone}, is missing`,
    `the artifact ${artifact.id} ("note.txt") of ${runs.first} ${isNot}`,
    `the revision ${revision} of a job has a file that ${isNot}: ${script}`,
    '4 files do not match the checksums of the backup. Everything else was restored. An earlier backup may have intact copies.',
  ])
    expect(restored.stderr).toContain(`${line}\n`);
  const doctor = (await flwd(other.dir, 'doctor')).stdout;
  expect(doctor).toContain(`the log of ${runs.chatty}, ${segment}, ${isNot} (as it was in the backup)`);
  expect(existsSync(join(other.dataDir, 'snapshots', String(revision)))).toBe(false);

  const server = await other.serve();
  const text = async (path: string): Promise<string> => (await server.fetch(path)).text();
  const log = async (runId: string): Promise<string> =>
    (await server.fetch(`/runs/${runId}/logs`, { headers: { accept: 'text/plain' } })).text();
  expect(await log(runs.chatty)).toContain(`${segment} is damaged`);
  expect(await log(runs.chatty)).toContain('line 1 of a log');
  expect(await log(runs.second)).toContain(`${gone} is missing`);
  expect(await log(runs.first)).toBe('small\n');
  expect((await server.fetch(`/artifacts/${artifact.id}`)).status).toBe(500);
  expect(await text(`/artifacts/${await artifacts(other, runs.second)}`)).toBe('content\n');
  // The source still has the job, so the run stores its revision again.
  expect(await server.run('small')).toMatchObject({ status: 'success' });
  expect(readFileSync(join(other.dataDir, script), 'utf8')).toContain('note.txt');
  await server.stop();
});

test('the names of damaged files cannot control the terminal', async () => {
  const name = 'a\u001b]0;title\u0007\u009b2J';
  const instance = await createInstance({ small: { ...jobs.small, [name]: 'text' } });
  const server = await instance.serve();
  await server.run('small');
  await server.stop();
  const dest = join(createFolder(), 'backup');
  await flwd(instance.dir, 'backup', dest);
  flip(join(dest, pathOf(dest, 'snapshots/*/a*title*')));
  const { code, stderr } = await flwd((await createInstance({})).dir, 'restore', dest);
  expect(code).toBe(1);
  expect(stderr).toMatch(/\/a\uFFFD\]0;title\uFFFD\uFFFD2J$/m);
  expect(stderr).not.toContain('\u001b');
});

test('a damaged backup never replaces existing data, with --force or without', async () => {
  const { dest, artifact } = await backedUp();
  flip(join(dest, artifact.path));
  const other = await createInstance(jobs);
  await flwd(other.dir, 'tokens', 'create', '--name', 'present', '--scopes', 'runs:read');
  for (const options of [[], ['--force']])
    expect(await flwd(other.dir, 'restore', ...options, dest)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /the backup \S+ is damaged: the artifact \w+ \("note.txt"\) of \w+ has changed since .*; nothing was changed: a damaged backup does not replace data; to restore the rest of it, move the present data away, or choose another data dir \(--data-dir\)\n$/,
      ),
    });
  expect((await flwd(other.dir, 'tokens', 'list')).stdout).toContain('present');
});

test('a backup with a damaged database, key or manifest is refused until the file is replaced by an intact copy', async () => {
  const { dest } = await backedUp();
  const other = await createInstance(jobs);
  for (const name of ['flwd.db', 'secret.key', 'notify.key', 'manifest.json']) {
    const intact = readFileSync(join(dest, name));
    // In manifest.json, the bit is in the version of the schema.
    flip(join(dest, name), name === 'manifest.json' ? intact.length - intact.indexOf('"schema": ') - 10 : 10);
    const { code, stderr } = await flwd(other.dir, 'restore', dest);
    expect({ name, code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        name === 'manifest.json'
          ? `${dest}/manifest.json is damaged`
          : `the backup ${dest} is damaged: ${name} has changed`,
      ),
    });
    expect(existsSync(other.dataDir)).toBe(false);
    writeFileSync(join(dest, name), intact);
  }
  expect(await flwd(other.dir, 'restore', dest)).toMatchObject({ code: 0 });
});

test('if the list of checksums is damaged, every intact file is restored, and no intact file is called changed', async () => {
  const { instance, dest, runs, artifact } = await backedUp();
  const other = artifactOf(dest, await artifacts(instance, runs.second));
  const segment = pathOf(dest, `logs/*/${runs.chatty}.2.zst`);
  const script = pathOf(dest, 'snapshots/*/run.sh');
  const intact = new Map(
    ['files.sha256', 'manifest.json', other.path].map((name) => [name, readFileSync(join(dest, name))]),
  );
  const restored = async () => {
    const { dir, dataDir } = await createInstance(jobs);
    const { code, stderr } = await flwd(dir, 'restore', dest);
    expect(code).toBe(1);
    expect(stderr).toContain('files.sha256 and manifest.json do not match\n');
    for (const path of [artifact.path, script])
      expect(readFileSync(join(dataDir, path))).toEqual(readFileSync(join(dest, path)));
    const lines = stderr
      .split('\n')
      .filter((line) => /^(?:the (?:log|artifact|revision)|artifacts|snapshots)\b/.test(line));
    const doctor = (await flwd(dir, 'doctor')).stdout;
    for (const [name, content] of intact) writeFileSync(join(dest, name), content);
    return { lines, doctor };
  };

  // Damages the checksums of three files.
  for (const path of [artifact.path, segment, script]) alter(join(dest, 'files.sha256'), path, -10);
  const sums = await restored();
  expect(sums.lines).toEqual([
    `the log of ${runs.chatty}, ${segment}, does not match files.sha256, which may be damaged itself`,
  ]);
  expect(sums.doctor).not.toContain('as it was in the backup');

  // Damages the names of two files in the list, and a third file itself.
  for (const path of [artifact.path, script]) alter(join(dest, 'files.sha256'), path, path.length - 1);
  flip(join(dest, other.path));
  const changed = `the artifact ${other.id} ("note.txt") of ${runs.second} has changed since the backup was made`;
  const names = await restored();
  expect(names.lines.toSorted()).toEqual([
    expect.stringMatching(/^artifacts\/\S+ is missing, or its name in files\.sha256 is damaged$/),
    changed,
  ]);
  expect(names.doctor).toContain(`${changed} (as it was in the backup)`);

  alter(join(dest, 'manifest.json'), '"sums_sha256": "', 20);
  expect((await restored()).lines).toEqual([]);
});

test('a restore is refused if the list of checksums is damaged for the database or missing', async () => {
  const { dest } = await backedUp();
  const list = join(dest, 'files.sha256');
  alter(list, '  flwd.db', -5);
  const other = await createInstance(jobs);
  expect(await flwd(other.dir, 'restore', dest)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      'is damaged: flwd.db does not match files.sha256, which may be damaged itself; nothing was restored',
    ),
  });
  rmSync(list);
  expect(await flwd(other.dir, 'restore', dest)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is damaged: files.sha256 is missing; nothing was restored'),
  });
});
