// Finds the imported jobs that a running server does not have. The server may have been started in another folder,
// because all folders of a user share one data dir by default.

import type { Config } from '../../config/config.ts';
import { readRecords } from '../import/record.ts';
import { realPath, realPaths } from '../session/source-paths.ts';

/** The folders of imported jobs that are sources of this configuration, but not of the server. */
export function unservedFolders(
  served: readonly { readonly path?: string }[],
  { sources }: Pick<Config, 'sources'>,
): string[] {
  const paths = realPaths(served);
  return sources.flatMap(({ path }) => (paths.has(realPath(path)) || readRecords(path).length === 0 ? [] : path));
}
