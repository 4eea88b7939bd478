import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createBackup } from '../../../src/store/backup/backup.ts';
import { restoreBackup } from '../../../src/store/backup/restore.ts';
import { startServing } from '../../server/serving.ts';
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

/** The instance without what an interrupted restore left beside it. */
function filesIn(dir: string): Map<string, string> {
  const found = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = found.map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1)).toSorted();
  const own = paths.filter((path) => !/\.(?:restoring|replaced)/.test(path));
  return new Map(own.map((path) => [path, readFileSync(join(dir, path), 'base64')]));
}

/** In `root` are the old data and a backup of other data. */
async function oldDataAndBackup(root: string): Promise<void> {
  await using server = await startServing();
  await server.addArtifact(await server.addRun(), { name: 'new', content: 'new artifact' });
  const dataDir = join(server.root, 'data');
  write(dataDir, newFiles);
  const places = placesIn(dataDir);
  await createBackup({ places, destination: join(root, 'backup'), includesKey: true, version: '1.2.3' });
  write(join(root, 'old'), oldFiles);
}

test('a restore that is killed at any moment has changed nothing, or the next one finishes it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'flwd-restore-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  await oldDataAndBackup(root);
  const dataDir = join(root, 'data');
  const old = filesIn(join(root, 'old'));
  const program = join(import.meta.dirname, '../programs/killed-restore.ts');
  const restoreUntil = (nth: number): string => {
    const { stdout, stderr, signal } = spawnSync(process.execPath, [program, root, String(nth)], { encoding: 'utf8' });
    return signal ?? (stdout || stderr);
  };
  const setUp = (): void => {
    rmSync(dataDir, { recursive: true, force: true });
    cpSync(join(root, 'old'), dataDir, { recursive: true });
  };

  setUp();
  await restoreBackup(requestIn(root));
  const restored = filesIn(dataDir);
  expect([...restored.keys()]).toEqual(
    expect.arrayContaining(['flwd.db', 'notify.key', 'owner.id', 'restored-damage.json', 'secret.key']),
  );
  expect([...restored.keys()].filter((path) => /old|-wal$/.test(path))).toEqual([]);

  const seen = { old: 0, unfinished: 0, restored: 0 };
  for (let nth = 1; ; nth++) {
    setUp();
    const end = restoreUntil(nth);
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
    expect(await restoreBackup(requestIn(root))).toMatchObject({ completed: 'completed', damaged: [] });
    expect({ nth, found: filesIn(dataDir) }).toEqual({ nth, found: restored });
    expect(readdirSync(dataDir).filter((name) => /\.(?:restoring|replaced)|unfinished/.test(name))).toEqual([]);
  }
  expect(seen.old).toBeGreaterThan(10);
  expect(seen.unfinished).toBeGreaterThan(10);
  expect(seen.restored).toBeGreaterThan(1);
}, 600_000);
