// Where a server keeps its own, links followed: no job may see it.

import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { otherPlacesOf } from '../lib/files/mount-table.ts';
import type { Config } from './config.ts';

export type OwnPaths = {
  /**
   * Real paths, those included that a link of the operator's leads to by now: a renewed key is often a switched link. And where
   * the same is mounted a second time.
   */
  readonly now: () => readonly string[];
  /** The same as they are written: to be followed by who reads them. */
  readonly written: readonly string[];
};

/** To be called once all of it exists. `others` are real paths of another instance's. */
export function findOwnPaths(config: Config, configFile: string | null, others: readonly string[]): OwnPaths {
  const { instance, server, auth, persistence, notify } = config;
  const { dbPath, blobsDir, secretKeyFile } = persistence;
  const database = realpathSync(dbPath);
  const fixed = [instance.dataDir, blobsDir, notify.signingKeyFile].map((path) => realpathSync(path));
  const edge = [
    // With keys of the environment there is no file of them.
    secretKeyFile,
    // Whoever may write the keys of JWTs decides who is let in.
    ...(auth.jwt && 'file' in auth.jwt.keys ? [auth.jwt.keys.file] : []),
    ...(server.tls ? [server.tls.keyFile] : []),
    // It may name a database with its password, and more that is the operator's alone.
    ...(configFile === null ? [] : [resolve(configFile)]),
  ];
  /** Also what a link has led to: an earlier key may still be there. */
  const known = new Set([...fixed, database, `${database}-wal`, `${database}-shm`, ...others]);

  function now(): readonly string[] {
    // One that is not there yet is compared as it is written.
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

  return { now, written: [...now(), ...edge] };
}
