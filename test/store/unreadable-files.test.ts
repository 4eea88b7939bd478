// Files on bad sectors, which fail with EIO. They count as damaged, and operations on many files continue with the
// others.

import { existsSync, readlinkSync, type statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as yieldNow } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createBackup } from '../../src/store/backup/backup.ts';
import { examineStore } from '../../src/store/sqlite/examine.ts';
import { type Serving, startServing } from '../server/serving.ts';
import { placesIn } from './backup/a-restore.ts';

const badInode = vi.hoisted(() => ({ part: '' }));

// Answers like the kernel for a file whose inode is on a bad sector. A test cannot make a real one.
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<{ statSync: typeof statSync }>();
  const failing = (...asked: Parameters<typeof statSync>): unknown => {
    if (badInode.part !== '' && String(asked[0]).includes(badInode.part))
      throw Object.assign(new Error('EIO: i/o error, stat'), { code: 'EIO', errno: -5, syscall: 'stat' });
    return fs.statSync(...asked);
  };
  return { ...fs, statSync: failing };
});

async function fileHandles(): Promise<FileHandle> {
  await using file = await open(import.meta.filename);
  return Object.getPrototypeOf(file);
}

/** Answers like the kernel for a bad sector. A test cannot make a real one. */
async function failReading(part: string): Promise<void> {
  const read = vi.spyOn(await fileHandles(), 'read');
  onTestFinished(() => read.mockRestore());
  function failing(this: FileHandle, ...asked: Parameters<FileHandle['read']>): ReturnType<FileHandle['read']> {
    const isBad = readlinkSync(`/proc/self/fd/${this.fd}`).includes(part);
    const error = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', errno: -5, syscall: 'read' });
    const result = isBad ? Promise.reject(error) : this.read(...asked);
    read.mockImplementationOnce(failing);
    return result;
  }
  read.mockImplementationOnce(failing);
}

async function backedUp(server: Serving) {
  const destination = join(server.root, 'backup');
  const places = placesIn(join(server.root, 'data'));
  return { destination, summary: await createBackup({ places, destination, includesKey: false, version: '1.2.3' }) };
}

test.each([
  ['small', 'content'],
  ['large', 'x'.repeat(3_000_000)],
])('a %s artifact that the disk cannot read counts as damaged, and the log names it', async (name, content) => {
  const said: Readonly<Record<string, unknown>>[] = [];
  await using server = await startServing({ onLog: (line) => said.push(line) });
  const run = await server.addRun();
  const id = await server.addArtifact(run, { name, content });
  await failReading(id);
  const response = await server.fetch(`/artifacts/${id}`);
  expect([response.status, response.headers.get('etag')]).toEqual([500, null]);
  expect(response.headers.get('content-disposition')).toBeNull();
  expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/artifact-damaged' });
  expect(said).toContainEqual(expect.objectContaining({ artifact: id, msg: 'the file of an artifact is damaged' }));
});

test('a backup names the files that the disk cannot read, and has the rest', async () => {
  await using server = await startServing();
  const run = await server.addRun();
  await run.print('line');
  await run.finish();
  const bad = await server.addArtifact(run, { name: 'bad', content: 'bad' });
  const good = await server.addArtifact(run, { name: 'good', content: 'good' });
  await failReading(`data/artifacts/${bad.slice(-2)}/${bad}`);
  const { destination, summary } = await backedUp(server);
  expect(summary).toMatchObject({ missing: 0, damaged: [`the artifact ${bad} ("bad"), cannot be read`] });
  expect(existsSync(join(destination, 'artifacts', bad.slice(-2), bad))).toBe(false);
  expect(existsSync(join(destination, 'artifacts', good.slice(-2), good))).toBe(true);
});

test('files that retention removes during a backup or a doctor check are not reported as missing', async () => {
  await using server = await startServing();
  const run = await server.addRun();
  await run.print('line');
  await run.finish();
  const places = placesIn(join(server.root, 'data'));
  await server.store.logs.removeFiles([run.id]);
  const database = new DatabaseSync(places.dbPath);
  onTestFinished(() => database.close());
  database.exec('CREATE TEMP TABLE kept AS SELECT * FROM log_segments');
  const looking = examineStore(places);
  database.exec('DELETE FROM log_segments');
  expect((await looking)?.damaged).toEqual([]);

  database.exec('INSERT INTO log_segments SELECT * FROM temp.kept');
  const backingUp = backedUp(server);
  // Once this file exists, the copied database has the row.
  while (!existsSync(join(server.root, 'backup', 'files.sha256'))) await yieldNow();
  database.exec('DELETE FROM log_segments');
  expect((await backingUp).summary).toMatchObject({ missing: 1, damaged: [] });
});

test('doctor names a file whose size the disk cannot read, and continues with the others', async () => {
  await using server = await startServing();
  const run = await server.addRun();
  await run.print('line');
  await run.finish();
  const bad = await server.addArtifact(run, { name: 'bad', content: 'bad' });
  const places = placesIn(join(server.root, 'data'));
  onTestFinished(() => {
    badInode.part = '';
  });
  badInode.part = bad;
  const path = join(places.artifactsDir, bad.slice(-2), bad);
  expect(await examineStore(places)).toMatchObject({ files: 2, damaged: [`${path} cannot be read`] });
});
