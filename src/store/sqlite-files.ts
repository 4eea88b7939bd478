// The files of an open database. SQLite goes on writing to a file that was removed or moved away, where nobody finds the data
// again; so whoever writes asks first whether they are still in their place.

import { statSync } from 'node:fs';

/** The message says what to do. */
export class DatabaseMoved extends Error {
  override readonly name = 'DatabaseMoved';
}

/**
 * Remembers which files are at `path` now. The connection has them open, so no other file gets their numbers.
 * @returns what throws DatabaseMoved while one of them is not there: 10 µs
 */
export function watchDatabaseFiles(path: string): () => void {
  const paths = [path, `${path}-wal`, `${path}-shm`];
  const ids = new Map(paths.map((name) => [name, fileId(name)]));
  return () => {
    for (const [name, id] of ids) {
      if (fileId(name) === id) continue;
      throw new DatabaseMoved(`${name} was removed or replaced: put it back, or stop the server and restore a backup`);
    }
  };
}

function fileId(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
