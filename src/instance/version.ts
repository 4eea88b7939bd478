// The version of flwd.

import { readFileSync } from 'node:fs';

/** Reads the version of the package that contains this file, from src and from dist alike. */
export function packageVersion(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}
