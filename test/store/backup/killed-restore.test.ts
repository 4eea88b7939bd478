import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createBackup } from '../../../src/store/backup/backup.ts';
import { restoreBackup } from '../../../src/store/backup/restore.ts';
import { startServing } from '../../server/serving.ts';
import { mountOn, testWithDisk } from '../../support/small-disk.ts';
import { placesIn, requestIn } from './a-restore.ts';

const newFiles = {
  'secret.key': 'new key',
  'notify.key': 'new key',
  'snapshots/0123456789abcdef/command.sh': 'new',
};
const oldFiles = {
  'flwd.db': 'old database',
  'flwd.db-wal': 'old wal',
  'logs/aa/old': 'old log',
  'artifacts/aa/old': 'old artifact',
  'snapshots/fedcba9876543210/command.sh': 'old',
  'runs/run_old/spool': 'old',
  'secret.key': 'old key',
  'restored-damage.json': '["old"]',
  'owner.id': 'stays',
};

function write(dir: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
}

/** The files of the instance, without those that an interrupted restore left beside it. */
function filesIn(dir: string): Map<string, string> {
  const found = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = found.map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1)).toSorted();
  const own = paths.filter((path) => !/\.(?:restoring|replaced)/.test(path));
  return new Map(own.map((path) => [path, readFileSync(join(dir, path), 'base64')]));
}

/** Creates old data in `root`, and a backup of other data. */
async function oldDataAndBackup(root: string): Promise<void> {
  await using server = await startServing();
  await server.addArtifact(await server.addRun(), { name: 'new', content: 'new artifact' });
  const dataDir = join(server.root, 'data');
  write(dataDir, newFiles);
  const places = placesIn(dataDir);
  await createBackup({ places, destination: join(root, 'backup'), includesKey: true, version: '1.2.3' });
  write(join(root, 'old'), oldFiles);
}

const program = join(import.meta.dirname, '../programs/killed-restore.ts');
const volumes = ['logs', 'artifacts', 'snapshots', 'runs'];

/** Runs a restore that is killed just before the nth call that changes a file. */
function restoreUntil(root: string, nth: number): string {
  const { stdout, stderr, signal } = spawnSync(process.execPath, [program, root, String(nth)], { encoding: 'utf8' });
  return signal ?? (stdout || stderr);
}

function createRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'flwd-restore-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  return root;
}

/** Puts the old data in place. Mounted folders stay. */
function setUp(root: string): void {
  const dataDir = join(root, 'data');
  mkdirSync(dataDir, { recursive: true });
  for (const dir of [...volumes.map((name) => join(dataDir, name)), dataDir])
    for (const name of existsSync(dir) ? readdirSync(dir) : [])
      if (dir !== dataDir || !volumes.includes(name)) rmSync(join(dir, name), { recursive: true });
  cpSync(join(root, 'old'), dataDir, { recursive: true });
}

function leftIn(dataDir: string): string[] {
  return readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(?:restoring|replaced)|unfinished/.test(name),
  );
}

async function killAtEachCall(root: string): Promise<void> {
  const dataDir = join(root, 'data');
  const old = filesIn(join(root, 'old'));
  setUp(root);
  await restoreBackup(requestIn(root));
  const restored = filesIn(dataDir);
  expect([...restored.keys()]).toEqual(expect.arrayContaining(['flwd.db', 'notify.key', 'owner.id', 'secret.key']));
  // The backup is complete, so the restore reports no damage.
  expect(restored.has('restored-damage.json')).toBe(false);
  expect([...restored.keys()].filter((path) => /old|-wal$/.test(path))).toEqual([]);

  const seen = { old: 0, unfinished: 0, restored: 0 };
  for (let nth = 1; ; nth++) {
    setUp(root);
    const end = restoreUntil(root, nth);
    if (end !== 'SIGKILL') {
      expect(end).toBe('completed');
      break;
    }
    const isUnfinished = existsSync(join(dataDir, 'unfinished'));
    const found = filesIn(dataDir);
    if (isUnfinished) seen.unfinished += 1;
    else if (found.has('flwd.db-wal')) seen.old += 1;
    else seen.restored += 1;
    if (!isUnfinished) expect({ nth, found }).toEqual({ nth, found: found.has('flwd.db-wal') ? old : restored });
    // The next restore is killed as well, as when a container is started again and again.
    if (isUnfinished) restoreUntil(root, 3);
    expect(await restoreBackup(requestIn(root))).toMatchObject({ completed: 'completed', damaged: [] });
    expect({ nth, found: filesIn(dataDir) }).toEqual({ nth, found: restored });
    expect(leftIn(dataDir)).toEqual([]);
  }
  expect(seen.old).toBeGreaterThan(10);
  expect(seen.unfinished).toBeGreaterThan(10);
  expect(seen.restored).toBeGreaterThan(1);
}

describe('a restore that is killed at any moment has either changed nothing or is finished by the next one', () => {
  test('in a data dir of ordinary folders', async () => {
    const root = createRoot();
    await oldDataAndBackup(root);
    await killAtEachCall(root);
  }, 600_000);

  testWithDisk(
    'in a data dir that is a mount point and contains mount points, which keep files that are not flwd’s',
    async () => {
      const root = createRoot();
      await oldDataAndBackup(root);
      const foreign = { 'logs/lost+found/file': 'stays', 'artifacts/README': 'stays', '.bashrc': 'stays' };
      write(join(root, 'old'), foreign);
      const dataDir = join(root, 'data');
      const dirs = [dataDir, ...volumes.map((name) => join(dataDir, name))];
      for (const dir of dirs) {
        mkdirSync(dir);
        mountOn(dir, '-t', 'tmpfs', '-o', 'mode=750,uid=4711', 'flwd-test');
      }
      setUp(root);
      const rootsOf = () => dirs.map((dir) => statSync(dir)).map(({ ino, dev, uid, mode }) => [dev, ino, uid, mode]);
      const roots = rootsOf();
      await killAtEachCall(root);
      expect(rootsOf()).toEqual(roots);
      for (const path of Object.keys(foreign)) expect(readFileSync(join(dataDir, path), 'utf8')).toBe('stays');
    },
    600_000,
  );
});

/** Kills a restore at calls between the first change and the last, at every `step`th, and then calls `check`. */
async function afterKills(root: string, step: number, prepare: () => void, check: () => Promise<void>): Promise<void> {
  let checks = 0;
  for (let nth = 1, end = 'SIGKILL'; end === 'SIGKILL'; nth += checks === 0 ? 1 : step) {
    prepare();
    end = restoreUntil(root, nth);
    if (!existsSync(join(root, 'data', 'unfinished'))) continue;
    await check();
    checks += 1;
  }
  expect(checks).toBeGreaterThan(3);
}

test('a killed restore can be finished in a copy of the data dir, and the original stays as it is', async () => {
  const root = createRoot();
  await oldDataAndBackup(root);
  const [dataDir, copy] = [join(root, 'data'), join(root, 'copy')];
  setUp(root);
  await restoreBackup(requestIn(root));
  const restored = filesIn(dataDir);
  await afterKills(
    root,
    3,
    () => setUp(root),
    async () => {
      const [before, leftBefore] = [filesIn(dataDir), leftIn(dataDir)];
      cpSync(dataDir, copy, { recursive: true });
      const request = { ...requestIn(root), places: placesIn(copy), unfinishedFile: join(copy, 'unfinished') };
      expect(await restoreBackup(request)).toMatchObject({ completed: 'completed' });
      expect(filesIn(copy)).toEqual(restored);
      expect(leftIn(copy)).toEqual([]);
      expect(filesIn(dataDir)).toEqual(before);
      expect(leftIn(dataDir)).toEqual(leftBefore);
      rmSync(copy, { recursive: true });
    },
  );
}, 600_000);

test('a killed restore is finished in the folder to which a link of the data dir points', async () => {
  const root = createRoot();
  await oldDataAndBackup(root);
  const [link, elsewhere] = [join(root, 'data', 'logs'), join(root, 'elsewhere')];
  await afterKills(
    root,
    1,
    () => {
      for (const path of [link, elsewhere]) rmSync(path, { recursive: true, force: true });
      setUp(root);
      renameSync(link, elsewhere);
      symlinkSync(elsewhere, link);
    },
    async () => {
      expect(await restoreBackup(requestIn(root))).toMatchObject({ completed: 'completed' });
      expect(readlinkSync(link)).toBe(elsewhere);
      expect(existsSync(join(elsewhere, 'aa/old'))).toBe(false);
      expect(readdirSync(root).filter((name) => name.startsWith('elsewhere'))).toEqual(['elsewhere']);
    },
  );
}, 600_000);

testWithDisk('a killed restore is not finished while one of its volumes is not mounted', async () => {
  const root = createRoot();
  await oldDataAndBackup(root);
  const dataDir = join(root, 'data');
  const artifacts = join(dataDir, 'artifacts');
  mkdirSync(artifacts, { recursive: true });
  mkdirSync(join(root, 'volume'));
  // A folder on the same disk is mounted here.
  mountOn(artifacts, '--bind', join(root, 'volume'));
  setUp(root);
  for (let end = 'SIGKILL', nth = 1; end === 'SIGKILL' && !existsSync(join(dataDir, 'unfinished')); nth++) {
    setUp(root);
    end = restoreUntil(root, nth);
  }
  spawnSync('umount', [artifacts]);
  await expect(restoreBackup(requestIn(root))).rejects.toThrow(
    `the interrupted restore has copied files to ${artifacts}/.restoring, which are missing now; mount the folder as it was then, and run flwd restore again`,
  );
  expect(existsSync(join(dataDir, 'unfinished'))).toBe(true);
  expect(readFileSync(join(dataDir, 'flwd.db'), 'utf8')).toBe('old database');
  spawnSync('mount', ['--bind', join(root, 'volume'), artifacts]);
  expect(await restoreBackup(requestIn(root))).toMatchObject({ completed: 'completed' });
  expect(readdirSync(artifacts)).toHaveLength(1);
  expect(leftIn(dataDir)).toEqual([]);
});

describe('a mount point that a restore would have to replace', () => {
  async function setUpWith(path: string, from: string): Promise<string> {
    const root = createRoot();
    await oldDataAndBackup(root);
    setUp(root);
    mountOn(join(root, 'data', path), '--bind', join(root, from));
    return root;
  }

  async function expectRefusal(root: string, what: string): Promise<void> {
    const before = filesIn(join(root, 'data'));
    await expect(restoreBackup(requestIn(root))).rejects.toThrow(what);
    expect(filesIn(join(root, 'data'))).toEqual(before);
    expect(leftIn(join(root, 'data'))).toEqual([]);
  }

  testWithDisk('makes the restore fail, and nothing below the mount point is removed', async () => {
    const root = await setUpWith('logs/aa', 'old/logs/aa');
    await expectRefusal(
      root,
      `${root}/data/logs/aa is a mount point, which a restore cannot replace; unmount it, and mount it elsewhere`,
    );
  });

  testWithDisk('is accepted if it is a key file with the same content as in the backup', async () => {
    const root = await setUpWith('secret.key', 'old/secret.key');
    await expectRefusal(
      root,
      `${root}/data/secret.key is a mount point, which a restore cannot replace; put the key of the backup there, and run flwd restore again`,
    );
    writeFileSync(join(root, 'old/secret.key'), 'new key');
    expect(await restoreBackup(requestIn(root))).toMatchObject({ completed: 'completed' });
    expect(readFileSync(join(root, 'data/secret.key'), 'utf8')).toBe('new key');
  });
});
