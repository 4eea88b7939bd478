// Loads the configuration that a command's options select.

import { ConfigError, type LoadedConfig, loadConfig } from '../../config/load.ts';
import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';

/**
 * @param warn gets the warnings, but only if there are errors, too
 * @throws Refusal with every error, one per line
 */
export function loadConfiguration(options: Options, warn?: (warnings: readonly string[]) => void): LoadedConfig {
  const one = (name: string) => options.get(name)?.[0];
  try {
    return loadConfig(
      {
        config: one('config'),
        bind: one('bind'),
        dataDir: one('data-dir'),
        jobs: options.get('jobs'),
        profile: one('profile'),
        log: one('log'),
        dev: options.has('dev'),
      },
      process.env,
      process.cwd(),
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    warn?.(error.warnings);
    throw new Refusal(error.message);
  } finally {
    // The keys are removed from the environment, so that child processes, and code that lists the environment, do not
    // see them.
    for (const name of ['FLWD_SECRET_KEY', 'FLOWD_SECRET_KEY']) Reflect.deleteProperty(process.env, name);
  }
}
