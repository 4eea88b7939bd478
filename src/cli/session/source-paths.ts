// Compares the folders of sources. A folder may be named by its path or by a link, so the real paths are compared.

import { existsSync, realpathSync } from 'node:fs';

/** Returns the real paths of the sources, or the given path of a folder that does not exist. */
export function realPaths(sources: readonly { readonly path?: string }[]): ReadonlySet<string> {
  return new Set(sources.flatMap(({ path }) => (path === undefined ? [] : realPath(path))));
}

export function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
