import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { Client } from 'pg';
import { pino } from 'pino';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { NewEvent } from '../../src/domain/event.ts';
import { migrations } from '../../src/store/migrations/migrate.ts';
import { openPostgresDatabase } from '../../src/store/postgres/database.ts';
import { isStorageError } from '../../src/store/storage-error.ts';
import { anEntry } from './an-entry.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { databaseNameOf, databaseUrl } from './postgres-databases.ts';

const created: NewEvent = {
  type: 'run.created',
  runId: 'run_1',
  jobId: 'backup/daily',
  tenant: 'default',
  data: { status: 'pending' },
};
const [engine] = engines;
const postgresDir = String(process.env.FLWD_TEST_POSTGRES);

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flwd-postgres-'));
  onTestFinished(() => rm(dir, { recursive: true }));
});

async function open(): Promise<Opened> {
  if (!engine) throw new Error('no engine');
  const opened = await engine.open(dir);
  onTestFinished(() => opened.database.close());
  return opened;
}

/** A session of an operator or another program. */
async function openSession(database = databaseNameOf(dir)): Promise<Client> {
  const client = new Client({ connectionString: databaseUrl(postgresDir, database) });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

test('the events of two servers on one database have one sequence of ids, and each server announces its own in order', async () => {
  const servers = [await open(), await open()];
  await Promise.all(
    servers.flatMap(({ database }) =>
      Array.from({ length: 50 }, () => database.transact(async (tx) => tx.emit(created))),
    ),
  );

  const ids = servers.map(({ commits }) => commits.flat().map(({ id }) => id));
  expect(ids.map((own) => own.length)).toEqual([50, 50]);
  for (const own of ids) expect(own).toEqual(own.toSorted((a, b) => a - b));
  expect(ids.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
  expect(await servers[0]?.journal.latestId()).toBe(100);
});

test('two servers on one database write one audit chain', async () => {
  const servers = [await open(), await open()];
  await Promise.all(servers.flatMap(({ audit }) => Array.from({ length: 10 }, () => audit.record(anEntry()))));

  const { entries } = await (servers[0] as Opened).audit.list({ limit: 100 });
  expect(new Set(entries.map(({ hash }) => hash)).size).toBe(20);
  expect(entries.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, n) => 20 - n));
});

test('a transaction that a deadlock has ended runs again', async () => {
  const { database, journal } = await open();
  await database.transact(async ({ db }) => {
    await db
      .insertInto('sequences')
      .values([
        { name: 'notices', next_id: 1 },
        { name: 'events.kept', next_id: 1 },
      ])
      .execute();
  });
  const other = await openSession();
  // The deadlock must end the server's transaction, not the other session's.
  await other.query("set deadlock_timeout = '60s'");
  await other.query("begin; update sequences set next_id = 2 where name = 'events.kept'");
  const {
    rows: [{ pid }],
  } = await other.query('select pg_backend_pid() as pid');
  const observer = await openSession();
  const waitsOfOther = async () => {
    const { rows } = await observer.query('select wait_event_type from pg_stat_activity where pid = $1', [pid]);
    return rows[0]?.wait_event_type;
  };
  let tries = 0;
  await database.transact(async (tx) => {
    tries += 1;
    tx.emit(created);
    await tx.db.updateTable('sequences').set({ next_id: 3 }).where('name', '=', 'notices').execute();
    const crossing = tries === 1 ? other.query("update sequences set next_id = 2 where name = 'notices'") : undefined;
    void crossing?.then(() => other.query('commit'));
    // Until the other session waits as well, this transaction would only wait for it.
    if (crossing) await expect.poll(waitsOfOther).toBe('Lock');
    await tx.db.updateTable('sequences').set({ next_id: 3 }).where('name', '=', 'events.kept').execute();
  });

  expect(tries).toBe(2);
  expect(await journal.latestId()).toBe(1);
  const rows = await database.read
    .selectFrom('sequences')
    .selectAll()
    .where('name', 'in', ['notices', 'events.kept'])
    .execute();
  expect(rows.map(({ next_id: id }) => id)).toEqual([3, 3]);
});

test('a commit whose answer is lost with the connection is still made exactly once', async () => {
  await (await open()).database.close();
  let asksForIt = false;
  let isCut = false;
  const proxyDir = await mkdtemp(join(tmpdir(), 'flwd-proxy-'));
  const proxy = createServer((client) => {
    const server = connectTo(join(postgresDir, '.s.PGSQL.5432'));
    client.pipe(server);
    server.on('data', (chunk) => {
      if (isCut || !chunk.includes('COMMIT\0') || !asksForIt) client.write(chunk);
      else {
        isCut = true;
        client.destroy();
        server.destroy();
      }
    });
    for (const socket of [client, server]) socket.on('error', () => undefined);
    client.on('close', () => server.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(join(proxyDir, '.s.PGSQL.5432'), resolve));
  const commits: unknown[] = [];
  const database = await openPostgresDatabase({
    url: databaseUrl(proxyDir, databaseNameOf(dir)),
    clock: { now: () => nowMs },
    log: pino({ level: 'silent' }),
    onCommit: (entries) => commits.push(...entries),
  });
  onTestFinished(async () => {
    await database.close();
    proxy.close();
    await rm(proxyDir, { recursive: true });
  });

  asksForIt = true;
  expect(
    await database.transact(async (tx) => {
      tx.emit(created);
      return 'done';
    }),
  ).toBe('done');
  expect(isCut).toBe(true);
  expect(commits).toMatchObject([{ id: 1 }]);
  expect(database.failure()).toBeNull();
  expect(await database.latestEventId()).toBe(1);
});

test('a database that cannot be reached is reported to writers and readers, and the store recovers by itself', async () => {
  const { database } = await open();
  const operator = await openSession('postgres');
  const name = databaseNameOf(dir);
  await operator.query(`alter database ${name} with allow_connections false`);
  await operator.query('select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = $1', [name]);

  await expect(database.transact(async (tx) => tx.emit(created))).rejects.toMatchObject({ slug: 'not-ready' });
  expect(database.failure()).toContain('the database cannot be written: ');
  const refused = await database.read
    .selectFrom('runs')
    .selectAll()
    .execute()
    .catch((error: unknown) => error);
  expect(isStorageError(refused)).toBe(true);

  await operator.query(`alter database ${name} with allow_connections true`);
  await expect.poll(() => database.failure()).toBeNull();
  await database.transact(async (tx) => tx.emit(created));
  expect(await database.latestEventId()).toBe(1);
});

test('an error in a query does not count as an error of the storage', async () => {
  const { database } = await open();
  const wrong = await sql`select nothing from nowhere`.execute(database.read).catch((error: unknown) => error);
  expect(wrong).toBeInstanceOf(Error);
  expect(isStorageError(wrong)).toBe(false);
});

test('texts are ordered byte by byte, whatever the locale of the database', async () => {
  const { database } = await open();
  const keys = ['b', 'B', 'a', 'A', 'ä', '_'];
  const row = { tenant: 'default', body_hash: '', run_id: 'run_1', created_at: nowMs };
  await database.transact(({ db }) =>
    db
      .insertInto('idempotency')
      .values(keys.map((key) => ({ ...row, key })))
      .execute(),
  );
  const stored = await database.read.selectFrom('idempotency').select('key').orderBy('key').execute();
  expect(stored.map(({ key }) => key)).toEqual(['A', 'B', '_', 'a', 'b', 'ä']);
  const { rows: others } = await sql<{ key: string }>`
    select key from unnest(${keys}::text[]) as key order by key`.execute(database.read);
  expect(others.map(({ key }) => key)).toEqual(['_', 'a', 'A', 'ä', 'b', 'B']);
});

test('an integer that JavaScript cannot represent is refused, not rounded', async () => {
  const { database } = await open();
  const { rows } = await sql`select 9007199254740991::bigint as n, count(*) as c from runs`.execute(database.read);
  expect(rows).toEqual([{ n: 9_007_199_254_740_991, c: 0 }]);
  await expect(sql`select 9007199254740992::bigint as n`.execute(database.read)).rejects.toThrow('safe integer');
});

test('the table of the audit log refuses every change except new entries', async () => {
  const { audit } = await open();
  for (let n = 0; n < 3; n += 1) await audit.record(anEntry());
  const operator = await openSession();
  for (const change of [
    "update audit set action = 'x'",
    'delete from audit where id = 1',
    'truncate audit',
    'insert into audit select * from audit where id = 3 on conflict do nothing',
  ]) {
    await expect(operator.query(change)).rejects.toThrow('the audit log is append-only');
  }
});

test('a database from a newer flwd is refused and left unchanged', async () => {
  await (await open()).database.close();
  const operator = await openSession();
  await operator.query('update schema_version set version = 99');
  await expect(open()).rejects.toThrow(`its schema is 99, this version knows ${migrations.length}`);
  expect((await operator.query('select version from schema_version')).rows).toEqual([{ version: 99 }]);
});
