// Removes files of logs and artifacts that a crash has left without a row in the database. It works folder by folder.
// It does not touch recent files, because they may be about to get their row.

import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { isShard } from '../../lib/ids.ts';
import type { Database } from '../database.ts';

export type Leftovers = {
  /** Removes files from before `beforeMs`. After each folder, yields how many files it removed, and how many bytes. */
  readonly remove: (beforeMs: number) => AsyncGenerator<{ removed: number; bytes: number }>;
};

/** The name of a segment, or of a damaged file that was kept. */
const logFile = /^run_\w+\.\d+\.(?:raw|zst)(?:\.fixed|\.damaged\d*)?$/;

export function createLeftovers(o: { readonly blobsDir: string; readonly database: Database }): Leftovers {
  const { read } = o.database;

  async function namedArtifacts(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await read.selectFrom('artifacts').select('id').where('id', 'in', ids).execute();
    return new Set(rows.map(({ id }) => id));
  }

  /**
   * Returns the names of files that must stay: files with a row, and all files of runs that have not ended. The
   * segments of such a run may not have rows yet.
   */
  async function namedLogs(names: readonly string[]): Promise<ReadonlySet<string>> {
    const runIds = [...new Set(names.map(runIdOf))];
    const unfinished = await read
      .selectFrom('runs')
      .select('id')
      .where('id', 'in', runIds)
      .where('finished_at', 'is', null)
      .execute();
    const open = new Set(unfinished.map(({ id }) => id));
    const rows = await read.selectFrom('log_segments').select(['run_id', 'n']).where('run_id', 'in', runIds).execute();
    const indexed = new Set(rows.map((row) => `${row.run_id}.${row.n}`));
    const withLog = new Set(rows.map((row) => row.run_id));
    return new Set(
      names.filter((name) => {
        if (open.has(runIdOf(name))) return true;
        // A damaged file has no row if nothing in it was readable. So it stays as long as any file of the same log has
        // a row.
        return isDamaged(name) ? withLog.has(runIdOf(name)) : indexed.has(segmentOf(name));
      }),
    );
  }

  async function* removeIn(
    folder: string,
    pattern: RegExp,
    named: (names: readonly string[]) => Promise<ReadonlySet<string>>,
    beforeMs: number,
  ): ReturnType<Leftovers['remove']> {
    const dir = join(o.blobsDir, folder);
    for (const shard of await readdir(dir).catch(ignoreMissing)) {
      // Skips other folders, such as `lost+found` at the root of a file system, which only root can read.
      if (!isShard(shard)) continue;
      const found: { name: string; sizeBytes: number }[] = [];
      for (const name of await readdir(join(dir, shard)).catch(ignoreMissing)) {
        if (!pattern.test(name)) continue;
        const stats = await stat(join(dir, shard, name)).catch(() => undefined);
        if (stats && stats.ctimeMs < beforeMs) found.push({ name, sizeBytes: stats.size });
      }
      let removed = 0;
      let bytes = 0;
      const kept = found.length > 0 ? await named(found.map(({ name }) => name)) : new Set();
      for (const { name, sizeBytes } of found) {
        if (kept.has(name)) continue;
        await unlink(join(dir, shard, name));
        removed += 1;
        bytes += sizeBytes;
      }
      yield { removed, bytes };
    }
  }

  return {
    async *remove(beforeMs) {
      yield* removeIn('artifacts', /^artifact_/, namedArtifacts, beforeMs);
      yield* removeIn('logs', logFile, namedLogs, beforeMs);
    },
  };
}

function runIdOf(name: string): string {
  return name.split('.', 1)[0] ?? '';
}

function isDamaged(name: string): boolean {
  return /\.damaged\d*$/.test(name);
}

function segmentOf(name: string): string {
  return name.replace(/\.(?:raw|zst)$/, '');
}

function ignoreMissing(error: unknown): string[] {
  if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') throw error;
  return [];
}
