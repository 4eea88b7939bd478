import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, link, lstat, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createId, shardOf } from '../../src/lib/ids.ts';
import { type ArtifactStore, createArtifactStore, type NewArtifact } from '../../src/store/blobs/artifacts.ts';
import { createBlobStore } from '../../src/store/blobs/blobs.ts';
import { engines, nowMs, type Opened } from './engines.ts';

const text = 'files: 3\n';
const newId = (): string => createId('artifact', nowMs);
const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

function anArtifact(over: Partial<NewArtifact> = {}): NewArtifact {
  return {
    id: newId(),
    sizeBytes: 9,
    sha256: sha256(text),
    runId: 'run_1',
    jobId: 'backup/daily',
    tenant: 'default',
    stepId: 'step_01',
    name: 'report',
    path: '/workspace/report.txt',
    mediaType: 'text/plain',
    createdAtMs: nowMs,
    expiresAtMs: null,
    ...over,
  };
}

describe.each(engines)('artifacts on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;
  let artifacts: ArtifactStore;
  let passedMs: number;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-artifacts-'));
    await mkdir(join(dir, 'workspace'));
    store = await open(dir);
    passedMs = 0;
    artifacts = createArtifactStore({
      database: store.database,
      blobs: createBlobStore({ dir: join(dir, 'artifacts') }),
      clock: { now: () => nowMs + passedMs },
    });
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  async function aFile(name = 'report.txt', content: string | Buffer = text): Promise<string> {
    const path = join(dir, 'workspace', name);
    await writeFile(path, content);
    return path;
  }

  const stage: (
    path: string,
    o: { readonly id: string; readonly mayLink?: boolean },
  ) => ReturnType<ArtifactStore['stage']> = (path, { id, mayLink = false }) =>
    artifacts.stage(path, { id, mayLink, within: dirname(path) });

  const blobPath = (id: string): string => join(dir, 'artifacts', shardOf(id), id);

  async function add(over: Partial<NewArtifact> = {}): Promise<string> {
    const artifact = anArtifact(over);
    await store.database.transact((tx) => artifacts.add(tx, [artifact]));
    return artifact.id;
  }

  async function idsOf(query: Partial<Parameters<ArtifactStore['list']>[0]>): Promise<string[]> {
    const { artifacts: listed, total, nextCursor } = await artifacts.list({ limit: 100, ...query });
    expect(total).toBe(listed.length);
    expect(nextCursor).toBeNull();
    return listed.map(({ id }) => id);
  }

  test.each([true, false])(
    'only the server can read a stored file, whether the file was linked (%s) or copied',
    async (mayLink) => {
      const path = await aFile();
      const id = newId();

      expect(await stage(path, { id, mayLink })).toEqual({ id, sizeBytes: 9, sha256: sha256(text) });
      const stored = await stat(blobPath(id));
      expect(stored.mode & 0o777).toBe(0o600);
      expect(stored.uid).toBe(process.geteuid?.());
      expect((await stat(join(dir, 'artifacts'))).mode & 0o777).toBe(0o700);
      expect(await readFile(blobPath(id), 'utf8')).toBe(text);
    },
  );

  test('a file can be stored again if a crash prevented its row', async () => {
    const path = await aFile();
    await stage(path, { id: newId(), mayLink: true });
    const id = newId();
    await stage(path, { id, mayLink: true });
    expect(await readFile(blobPath(id), 'utf8')).toBe(text);
  });

  test.runIf(process.geteuid?.() === 0)(
    'a stored file of the job’s user belongs to the server afterwards',
    async () => {
      const path = await aFile();
      execFileSync('chown', ['65534:65534', path]);
      const id = newId();
      await stage(path, { id, mayLink: true });

      expect(await stat(blobPath(id))).toMatchObject({ uid: 0, gid: process.getegid?.() });
    },
  );

  test('a file of a workspace that is kept is copied, and later changes to it do not change the artifact', async () => {
    const path = await aFile();
    await chmod(path, 0o754);
    if (process.geteuid?.() === 0) await chown(path, 65_534, 65_534);
    const before = await stat(path);
    const id = newId();
    expect(await stage(path, { id })).toEqual({ id, sizeBytes: 9, sha256: sha256(text) });

    const { uid, gid, mode, nlink } = await stat(path);
    expect({ uid, gid, mode, nlink }).toEqual({ uid: before.uid, gid: before.gid, mode: before.mode, nlink: 1 });
    expect(await stat(blobPath(id))).toMatchObject({ uid: process.geteuid?.(), gid: process.getegid?.(), nlink: 1 });
    expect((await stat(blobPath(id))).mode & 0o7777).toBe(0o600);
    await writeFile(path, 'changed');
    expect(await readFile(blobPath(id), 'utf8')).toBe(text);
  });

  test('a file whose name is not valid text is stored', async () => {
    const path = Buffer.concat([Buffer.from(join(dir, 'workspace/')), Buffer.of(0xff)]);
    await writeFile(path, text);
    for (const mayLink of [false, true]) {
      const id = newId();
      await artifacts.stage(path, { id, mayLink, within: join(dir, 'workspace') });
      expect(await readFile(blobPath(id), 'utf8')).toBe(text);
    }
  });

  test('the hash covers all of a large file, and an empty file also has a hash', async () => {
    const large = Buffer.alloc(1_000_003, 'abc');
    expect(await stage(await aFile('large', large), { id: newId() })).toMatchObject({
      sizeBytes: 1_000_003,
      sha256: sha256(large),
    });
    expect(await stage(await aFile('empty', ''), { id: newId() })).toMatchObject({
      sizeBytes: 0,
      sha256: sha256(''),
    });
  });

  test('a file with a second hard link is copied, so that the link cannot change the artifact', async () => {
    const path = await aFile();
    await link(path, join(dir, 'workspace', 'other'));
    const id = newId();
    expect(await stage(path, { id, mayLink: true })).toMatchObject({ sha256: sha256(text) });

    await writeFile(join(dir, 'workspace', 'other'), 'changed');
    expect(await readFile(blobPath(id), 'utf8')).toBe(text);
    expect((await stat(blobPath(id))).mode & 0o777).toBe(0o600);
  });

  test('a file on another file system is copied', async ({ skip }) => {
    const other = await mkdtemp('/dev/shm/flwd-artifacts-').catch(() => skip('no /dev/shm on this host'));
    try {
      const content = Buffer.alloc(700_000, 'x');
      await writeFile(join(other, 'file'), content);
      const id = newId();

      expect(await stage(join(other, 'file'), { id, mayLink: true })).toMatchObject({
        sha256: sha256(content),
      });
      expect((await readFile(blobPath(id))).equals(content)).toBe(true);
    } finally {
      await rm(other, { recursive: true });
    }
  });

  test('a link, a folder, a pipe and a missing file are refused, and nothing of them is kept', async () => {
    const workspace = join(dir, 'workspace');
    const target = await aFile('target');
    // A file with a second hard link is copied, and a copy could follow a link by mistake.
    await link(target, join(workspace, 'other'));
    await symlink(target, join(workspace, 'link'));
    await mkdir(join(workspace, 'folder'));
    execFileSync('/usr/bin/mkfifo', [join(workspace, 'pipe')]);
    for (const name of ['link', 'folder', 'pipe', 'missing']) {
      for (const mayLink of [false, true]) {
        const id = newId();
        await expect(stage(join(workspace, name), { id, mayLink })).rejects.toThrow();
        await expect(lstat(blobPath(id))).rejects.toMatchObject({ code: 'ENOENT' });
      }
    }
    expect(await readFile(target, 'utf8')).toBe(text);
  });

  test('a file that is outside of the workspace when it is opened is refused and left unchanged', async () => {
    const workspace = join(dir, 'workspace');
    const elsewhere = join(dir, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, 'key'), text, { mode: 0o640 });
    // Another run has replaced a folder of the workspace by a link.
    await symlink(elsewhere, join(workspace, 'artifacts'));
    for (const mayLink of [false, true]) {
      const id = newId();
      const staged = artifacts.stage(join(workspace, 'artifacts/key'), { id, mayLink, within: workspace });
      await expect(staged).rejects.toThrow('is outside the workspace');
      await expect(lstat(blobPath(id))).rejects.toMatchObject({ code: 'ENOENT' });
    }
    expect((await stat(join(elsewhere, 'key'))).mode & 0o7777).toBe(0o640);
  });

  test('a staged file can be discarded, even if it is discarded twice', async () => {
    const staged = await stage(await aFile(), { id: newId() });
    await artifacts.discard(staged);
    await artifacts.discard(staged);

    expect(await artifacts.openRead(staged)).toBeUndefined();
  });

  test('an artifact is shown as it was added, and its file can be read', async () => {
    const staged = await stage(await aFile(), { id: newId() });
    const id = await add({ ...staged, expiresAtMs: nowMs + 1_000 });
    const shown = {
      id,
      run_id: 'run_1',
      name: 'report',
      path: '/workspace/report.txt',
      media_type: 'text/plain',
      size_bytes: 9,
      created_at: '2024-01-15T10:30:00.000Z',
      sha256: sha256(text),
      step_id: 'step_01',
      job_id: 'backup/daily',
      tenant: 'default',
      expires_at: '2024-01-15T10:30:01.000Z',
    };

    expect(await artifacts.get(id)).toEqual({ ...shown, gone: false });
    expect((await artifacts.list({ limit: 1 })).artifacts).toEqual([shown]);
    const file = await artifacts.openRead({ id });
    expect(await file?.readFile('utf8')).toBe(text);
    await file?.close();
    expect(await artifacts.get('artifact_missing')).toBeUndefined();
  });

  test('an expired artifact is gone: it is neither listed nor counted', async () => {
    const kept = await add();
    const expiring = await add({ expiresAtMs: nowMs + 1_000 });
    expect(await idsOf({})).toEqual([expiring, kept]);

    passedMs = 1_000;
    expect(await artifacts.get(expiring)).toMatchObject({ gone: true });
    expect(await artifacts.get(kept)).toMatchObject({ gone: false });
    for (const filter of [{}, { runId: 'run_1' }, { jobId: 'backup/daily' }, { name: 'report' }]) {
      expect(await idsOf(filter)).toEqual([kept]);
    }
  });

  test('the list is filtered by run, job and name, newest first', async () => {
    const first = await add({ createdAtMs: nowMs - 1 });
    const ofRun = await add({ runId: 'run_2', name: 'other' });
    const ofJob = await add({ runId: 'run_3', jobId: 'report' });

    expect(await idsOf({})).toEqual([ofJob, ofRun, first]);
    expect(await idsOf({ runId: 'run_2' })).toEqual([ofRun]);
    expect(await idsOf({ jobId: 'backup/daily' })).toEqual([ofRun, first]);
    expect(await idsOf({ name: 'report' })).toEqual([ofJob, first]);
    expect(await idsOf({ name: 'report', jobId: 'backup/daily' })).toEqual([first]);
    expect(await idsOf({ jobId: 'missing' })).toEqual([]);
  });

  test('the list, the total and the lookup of one tenant exclude other tenants', async () => {
    const own = await add({ tenant: 'acme' });
    const gone = await add({ tenant: 'acme', expiresAtMs: nowMs + 1_000 });
    const other = await add({ tenant: 'beta', expiresAtMs: nowMs + 1_000 });
    const filters = [{}, { runId: 'run_1' }, { jobId: 'backup/daily' }, { name: 'report' }];
    for (const filter of filters) expect(await idsOf({ tenant: 'acme', ...filter })).toEqual([gone, own]);
    passedMs = 1_000;
    for (const filter of filters) expect(await idsOf({ tenant: 'acme', ...filter })).toEqual([own]);
    expect(await idsOf({ tenant: 'beta' })).toEqual([]);
    expect(await artifacts.totals()).toMatchObject({ count: 1 });
    expect(await artifacts.get(other, 'acme')).toBeUndefined();
    expect(await artifacts.get(other, 'beta')).toMatchObject({ id: other, gone: true });
  });

  test('cursor pages show each artifact once while others are added', async () => {
    const ids = [];
    for (let n = 0; n < 7; n++) ids.push(await add());
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await artifacts.list({ limit: 3, offset: 1, ...(cursor === null ? {} : { cursor }) });
      seen.push(...page.artifacts.map(({ id }) => id));
      cursor = page.nextCursor;
      await add({ createdAtMs: nowMs + 1 });
    } while (cursor !== null);

    expect(seen).toEqual(ids.toReversed().slice(1));
    await expect(artifacts.list({ limit: 1, cursor: 'nonsense' })).rejects.toMatchObject({ slug: 'validation-error' });
  });

  describe('the quota for all artifacts', () => {
    const wanted = (sizeBytes: number): { id: string; sizeBytes: number } => ({ id: newId(), sizeBytes });

    test('covers the artifacts of all tenants', async () => {
      await add({ sizeBytes: 3_000_000_000 });
      await add({ sizeBytes: 9, jobId: 'report' });
      const [small, large] = [wanted(1), wanted(3)];
      expect(await artifacts.takeRoom([small, large], 3_000_000_012)).toEqual({
        kind: 'full',
        id: large.id,
        usedBytes: 3_000_000_009,
      });
      expect(await artifacts.takeRoom([small, large], 3_000_000_013)).toMatchObject({ kind: 'taken' });
    });

    test('is not given twice to runs that end at the same time', async () => {
      const taken = await Promise.all([1, 2, 3, 4].map(() => artifacts.takeRoom([wanted(60)], 130)));
      // Their order is not defined.
      expect(taken.map(({ kind }) => kind).toSorted()).toEqual(['full', 'full', 'taken', 'taken']);
    });

    test('counts a stored file once, and does not count a file that was not stored', async () => {
      const file = wanted(60);
      await artifacts.takeRoom([file], 100);
      await add({ ...file });
      const second = await artifacts.takeRoom([wanted(40)], 100);
      expect(second.kind).toBe('taken');
      expect(await artifacts.takeRoom([wanted(40)], 100)).toMatchObject({ kind: 'full', usedBytes: 100 });
      if (second.kind === 'taken') second.giveBack();
      expect(await artifacts.takeRoom([wanted(40)], 100)).toMatchObject({ kind: 'taken' });
    });

    test('no longer counts an artifact that has expired', async () => {
      await add({ sizeBytes: 60, expiresAtMs: nowMs + 1_000 });
      expect(await artifacts.takeRoom([wanted(60)], 100)).toMatchObject({ kind: 'full' });
      passedMs = 1_000;
      expect(await artifacts.takeRoom([wanted(60)], 100)).toMatchObject({ kind: 'taken' });
    });
  });

  test('the file of an expired artifact is removed, and its row still says that it is gone', async () => {
    const ids = await Promise.all(
      [nowMs + 1_000, nowMs + 2_000, null].map(async (expiresAtMs, index) => {
        const { id } = await stage(await aFile(`file${index}`), { id: newId() });
        return add({ id, expiresAtMs });
      }),
    );
    const kept = async (): Promise<boolean[]> =>
      Promise.all(
        ids.map((id) =>
          stat(blobPath(id)).then(
            () => true,
            () => false,
          ),
        ),
      );

    for (const [atMs, left] of [
      [0, [true, true, true]],
      [1_000, [false, true, true]],
      [2_000, [false, false, true]],
    ] as const) {
      passedMs = atMs;
      await artifacts.removeExpired(nowMs + atMs, 100);
      expect(await kept()).toEqual(left);
    }
    expect(await artifacts.get(ids[0] ?? '')).toMatchObject({ gone: true });
    expect(await artifacts.get(ids[2] ?? '')).toMatchObject({ gone: false });
  });

  test('after the clock was set back, old artifacts are removed even if newer ones were removed before', async () => {
    const store = async (o: { createdAtMs?: number; expiresAtMs: number | null }): Promise<string> => {
      const { id } = await stage(await aFile(`file${newId()}`), { id: newId() });
      return add({ id, ...o });
    };
    await store({ createdAtMs: nowMs + 10_000, expiresAtMs: nowMs + 10_000 });
    passedMs = 20_000;
    await artifacts.expire(nowMs + 20_000, nowMs + 20_000, 100);
    expect(await artifacts.removeExpired(nowMs + 20_000, 100)).toMatchObject({ seen: 1, removed: 1 });

    passedMs = 2_000;
    await store({ expiresAtMs: nowMs + 1_000 });
    await store({ createdAtMs: nowMs + 1_000, expiresAtMs: null });
    await artifacts.expire(nowMs + 1_500, nowMs + 2_000, 100);
    expect(await artifacts.removeExpired(nowMs + 2_000, 100)).toMatchObject({ seen: 2, removed: 2 });
  });
});
