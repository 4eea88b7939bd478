// Finds the imported jobs that a running server does not have. The server may have been started in another folder,
// because all folders of a user share one data dir by default.

import { existsSync, realpathSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { readRecords } from '../import/record.ts';

export type Sources = readonly { readonly path?: string }[];

/** The folders of imported jobs that are sources of this configuration, but not of the server. */
export function unservedFolders(served: Sources, { sources }: Pick<Config, 'sources'>): string[] {
  const paths = new Set(served.flatMap(({ path }) => (path === undefined ? [] : realOf(path))));
  return sources.flatMap(({ path }) => (paths.has(realOf(path)) || readRecords(path).length === 0 ? [] : path));
}

function realOf(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
