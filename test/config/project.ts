// An operator's folder: writes the given files and loads the configuration as `flwd` would from there.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ConfigError, type Flags, type LoadedConfig, loadConfig } from '../../src/config/load.ts';

export type Project = {
  readonly dir: string;
  readonly load: (flags?: Flags, environment?: NodeJS.ProcessEnv) => LoadedConfig;
  /** The errors, one per line; empty if the configuration loads. */
  readonly errors: (flags?: Flags, environment?: NodeJS.ProcessEnv) => readonly string[];
};

/** The home is the project's folder `home`, so no file of the tester is read. A name that ends in `/` is a folder. */
export function createProject(files: Readonly<Record<string, string>> = {}): Project {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'flwd-config-')));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const path = join(dir, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(path, text);
  }
  const load = (flags: Flags = {}, environment: NodeJS.ProcessEnv = {}) =>
    loadConfig(flags, { HOME: join(dir, 'home'), ...environment }, dir);
  return {
    dir,
    load,
    errors(flags, environment) {
      try {
        load(flags, environment);
        return [];
      } catch (error) {
        if (error instanceof ConfigError) return error.errors;
        throw error;
      }
    },
  };
}
