// `flwd version`, and the version for whoever else needs it.

import { readFileSync } from 'node:fs';
import { type ExitCode, exitCodes } from './exit-code.ts';

/** The version of the package that this file is in, from src and from dist alike. */
export function packageVersion(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}

export function run(): ExitCode {
  process.stdout.write(`flwd ${packageVersion()}\n`);
  return exitCodes.done;
}
