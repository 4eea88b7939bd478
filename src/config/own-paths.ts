// The server's own files, with links resolved. No job in a sandbox may see them.

import { realpathSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { dirname, resolve } from 'node:path';
import { otherPlacesOf } from '../lib/files/mount-table.ts';
import type { Config } from './config.ts';

export type OwnPaths = {
  /**
   * Returns the real paths at this moment. They include the present targets of the operator's links, because a key is
   * often renewed by changing a link. They also include the other mount points of the same files.
   */
  readonly now: () => readonly string[];
  /** The paths that may become links while the server runs, as the operator wrote them. */
  readonly links: readonly string[];
};

/**
 * Call this after the files have been created. @param others real paths of another instance, which are hidden as well
 */
export function findOwnPaths(config: Config, configFile: string | null, others: readonly string[]): OwnPaths {
  const { instance, server, auth, persistence, notify, logging } = config;
  const { dbPath, blobsDir, secretKeyFile } = persistence;
  const database = realpathSync(dbPath);
  // Anyone who can write to the cache of compiled code decides what flwd runs (ADR 0026).
  const compiled = getCompileCacheDir();
  const fixed = [
    instance.dataDir,
    blobsDir,
    notify.signingKeyFile,
    ...(compiled === undefined ? [] : [dirname(compiled)]),
  ].map((path) => realpathSync(path));
  const edge = [
    // This file does not exist if the keys come from the environment.
    secretKeyFile,
    // Anyone who can change the keys of JWTs decides who may log in.
    ...(auth.jwt && 'file' in auth.jwt.keys ? [auth.jwt.keys.file] : []),
    ...(server.tls ? [server.tls.keyFile] : []),
    // The log names the jobs and callers of all tenants.
    ...(logging.output === 'stderr' || logging.output === 'stdout' ? [] : [logging.output]),
    // flwd.yaml may contain the password of a database, and more that only the operator may see.
    ...(configFile === null ? [] : [resolve(configFile)]),
  ];
  /**
   * All paths that have been found. Former targets of links stay in the set, because earlier key files may still exist
   * there.
   */
  const known = new Set([...fixed, database, `${database}-wal`, `${database}-shm`, ...others]);

  function now(): readonly string[] {
    // A path that does not exist yet is compared as it is written.
    const missing = edge.filter((path) => !isAdded(path));
    const own = [...known, ...missing];
    return [...own, ...otherPlacesOf(own)];
  }

  function isAdded(path: string): boolean {
    try {
      known.add(realpathSync.native(path));
      return true;
    } catch {
      return false;
    }
  }

  return { now, links: edge };
}
