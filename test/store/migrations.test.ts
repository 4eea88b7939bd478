import { createHash } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrations } from '../../src/store/migrations/migrate.ts';
import { columnTypes, kyselyOver } from '../../src/store/sqlite/sqlite.ts';
import { type Opened, openSqlite } from './engines.ts';

describe('a database file of SQLite', () => {
  let dir: string;
  let path: string;
  const open = (): Promise<Opened> => openSqlite(dir);

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-migrations-'));
    path = join(dir, 'flwd.db');
  });
  afterEach(() => rm(dir, { recursive: true }));

  test('is private, keeps commits through a crash, and can shrink', async () => {
    const { database } = await open();
    const modes = await Promise.all(['', '-wal', '-shm'].map(async (end) => (await stat(path + end)).mode & 0o777));
    expect(modes).toEqual([0o600, 0o600, 0o600]);
    await database.close();

    const file = new DatabaseSync(path);
    expect(file.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(file.prepare('PRAGMA auto_vacuum').get()).toEqual({ auto_vacuum: 2 });
    expect(file.prepare('PRAGMA user_version').get()).toEqual({ user_version: migrations.length });
    file.close();
  });

  test('has the same content when it is opened again', async () => {
    const first = await open();
    await first.database.transact(async (tx) =>
      tx.emit({ type: 'run.created', runId: 'run_a', jobId: 'a', tenant: 'default', data: {} }),
    );
    await first.database.close();

    const second = await open();
    expect(await second.journal.latestId()).toBe(1);
    await second.database.close();
  });

  test('from a newer flwd is refused and left unchanged', async () => {
    await (await open()).database.close();
    const file = new DatabaseSync(path);
    file.exec('PRAGMA user_version = 99');
    file.close();

    await expect(open()).rejects.toThrow(
      `the database was written by a newer flwd: its schema is 99, this version knows ${migrations.length}; start the newer version, or restore a backup from before the upgrade`,
    );
    const after = new DatabaseSync(path);
    expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: 99 });
    after.close();
  });

  test('with other content is refused and left unchanged', async () => {
    await writeFile(path, 'a text of some length that SQLite cannot take for a database of its own'.repeat(100));

    await expect(open()).rejects.toThrow('file is not a database');
  });

  test('stays empty if its first migration fails', async () => {
    const file = new DatabaseSync(path);
    file.exec('CREATE TABLE runs (a text)');
    file.close();

    await expect(open()).rejects.toThrow('already exists');
    const after = new DatabaseSync(path);
    expect(after.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()).toEqual([{ name: 'runs' }]);
    after.close();
  });

  // Changing a released migration would leave two kinds of databases behind.
  test('is created by exactly these statements', () => {
    const file = new DatabaseSync(':memory:');
    const db = kyselyOver(file);
    const hashes = migrations.map(({ name, statements }) => {
      const texts = statements(db, columnTypes).map((statement) => statement.compile().sql);
      return [name, createHash('sha256').update(texts.join(';\n')).digest('hex')];
    });
    file.close();

    expect(hashes).toEqual([
      ['0001-initial', '7a5c8adce26dd628220eeb7ce1f6790ded5fc5f919d49e956cb0fa9352415088'],
      ['0002-steps', 'a6d4fd8b1fcdbefe7ce206db379e2270da3a6b852ba64d961536ea8fe7f1d36c'],
      ['0003-schedules', '60d6d7ba157b85bbe80eff3eae61f3901b86b0c22e96e7cf578c91713442d113'],
      ['0004-notices', 'e9cea8959ea88b2cb79206eb8f40bed76d887a916c71d2c253605240470c6901'],
      ['0005-retention', 'c0c9dbd6631987bb14e206fbd3d24df7d9c6505e277b50996d9b86af3fad5f92'],
      ['0006-tokens', '4405fdfed4a90d26b95a2bdb6110e350308c7a9b121a55be21283be7596e84e5'],
      ['0007-secrets', 'bcb65a5be6e37de534b6a9919a2f78c6d0a2d09e5c8d724cb30eb605b3fbdbd1'],
      ['0008-audit', '9d1359aec3b0111b2d3e1b762ef2dd634f0ce3e330058795e0c5a23eec5bc8ec'],
      ['0009-tenants', '81f669593e22879feb10340ba81e7bf0fc79e4e7e34fd2675de584f8ce39ab52'],
      ['0010-run-totals', '143b5ebc33f795aa8b9d95c8599d962e416512408a8f845797d9d23990f0fba0'],
      ['0011-run-days', '9233fc1586735bbc46d967d7e7d3ae1710f0a6487c73c977145a0e76507f8b6d'],
      ['0012-what-a-run-leaves', '8016bed835fb278066110e66b71adac5c6391886b3181282ba3339465f628a6e'],
      ['0013-clock-set', '04111aab881c888e7610a12ec0d71268386fa7defb6451d826e1869ccdbd3033'],
      ['0014-owners', '71b14fb9475f0297498aa444c00a4bec97115160383198bee50063d53ab82ceb'],
      ['0015-hints', '22255f527731b227e88d5734ed739b193df182f3910c8e02062514928bf74068'],
      ['0016-held-schedules', '1efb28689a3ca6ba90dce4bf021f36a46bded76f5aa940713db914fc370b05ca'],
      ['0017-kv', '7cd4ceb23f0a164870ab50ce4e14cf3d89b8d8eaf9d6b614f56662d59ffe0319'],
      ['0018-run-stats', '9a4a3ad4619d79b900bcd5c34d92722dd41849c1433336592b70e54b591d3794'],
      ['0020-lists-of-runs', '18dbd69a2b66785691d6cf561d0908896c58b72c771aa6d8f52a6ccb18f9d16e'],
      ['0021-webhooks', '8f73a197353ae7bd3c111ee8ed1dc0bbb3db356bd9c8d3b3d5b93c9646de300b'],
      ['0024-deliveries', 'c65d11cef77dae4d8e4f06bd9ddf8c9dc110244e5e34a6ab0724a2a057195be6'],
      ['0027-days-of-schedules', '930837b418df79dcd5ccd6a7cfbf9591c7c3dd53261349b47de63b341621c06e'],
      ['0026-channels', 'eebea4e8310b2a102bfe419a603bc1307a596b2a7c7bf5d6e902164da85425f7'],
      ['0028-failures', '4cb858269c6b622d4b2da5ec2d9ea70341e63b31af2ad83011412d83eab1eb12'],
      ['0030-triggers', 'dcd6ca09384d14ad4f5ebdbe0cb038d7e95eb49df2664d72bb1e05eac0494c33'],
      ['0031-ends-by-tenant', '79ccd095a2986844674eaf75a4b8b6af693cd0b19286e292d4fe29a8f54a1209'],
      ['0032-mail-recipients', 'd015aa237898deede0381208c948a86d2d6615f033f99deda64dbcfa8927b013'],
      ['0036-made-webhooks', '5dd8b1c74e00bafb106ab5dd3f22a2b762434179b5cdf5bab0a0c29dca174163'],
      ['0033-limited-tokens', '3cbe7c60e5ddc88302774d1bb824328bde713eba3b5e7a22f357c85bbb3bec51'],
      ['0035-late', '20bffe76ceb5d0b62b3b8c7b8765100c25bfd8801fa355e1b4a465f63ea91454'],
      ['0037-heartbeats', '7117b026668f0c4f69ab4ab83f381a37c0a19e209d389b23db1c89d01d52eaa9'],
      ['0039-watched-files', '7a513f868704d84f06f946d5c7e085d4b082ecae2ae8f203cc25e17f6d3e5534'],
      ['0038-backfills', 'e7154f8d2f2b8601abb46d22cb6b5b228038ffb6608c861ee1db061e901f71be'],
      ['0040-first-revisions', 'ca5ac14946bd47737035f586233fadc4cb76ec6c40cd9910ad920fc724128fb4'],
      ['0041-trigger-chains', 'fb3f34d468c68f11d4f0e95e7a1bae7957318de08b5b524679fdd012b937b046'],
      ['0042-jobs-of-schedules', '7b482e9e0911b3a507fd29b92c080b9ee15bd3c4fb2b1c63b76a56e3d37a8191'],
      ['0043-who-cancelled', 'a4e9ba00d41eab5957c69499a8e886dad52302f242ee56462dc088cd7f7cc356'],
    ]);
  });

  test('has the same schema when it is new and when it went through every migration', async () => {
    const { database } = await open();
    await database.close();
    const fresh = new DatabaseSync(path);
    const migrated = new DatabaseSync(':memory:');
    const db = kyselyOver(migrated);
    for (const { statements } of migrations) for (const each of statements(db, columnTypes)) await each.execute();

    const objects = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name <> 'sqlite_stat1' ORDER BY rowid";
    expect(fresh.prepare(objects).all(), 'run `npm run docs` after a change of migrations').toEqual(
      migrated.prepare(objects).all(),
    );
    // A new database starts without rows, so no migration may add a row.
    const tables = migrated.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    const filled = tables.filter(({ name }) => migrated.prepare(`SELECT 1 FROM "${String(name)}"`).get() !== undefined);
    expect(filled).toEqual([]);
    fresh.close();
    migrated.close();
  });
});
