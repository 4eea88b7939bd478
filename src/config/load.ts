// Finds flwd.yaml, applies the environment and the flags, and returns one frozen Config, or throws all errors at once.

import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { errorCode } from '../lib/error-code.ts';
import { isAnothers, isWritableByOthers, showMode } from '../lib/files/file-owner.ts';
import { withHome } from '../lib/files/home-path.ts';
import { ownHome } from '../lib/files/own-user.ts';
import { checkDev, checkSettings, noteExtensions } from './checks.ts';
import { type Config, toConfig } from './config.ts';
import { configPlaces } from './config-places.ts';
import { readEnvironment } from './environment.ts';
import type { KeyPath } from './keys.ts';
import {
  createSettings,
  fillDefaults,
  type Origin,
  placeOf,
  put,
  type SettingError,
  type Settings,
} from './settings.ts';
import { addDefaultSource, checkSources, replaceSources } from './sources.ts';
import { readYaml } from './yaml-file.ts';

export type Flags = {
  readonly config?: string | undefined;
  readonly bind?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly jobs?: readonly string[] | undefined;
  readonly profile?: string | undefined;
  readonly log?: string | undefined;
  readonly dev?: boolean | undefined;
};

export type LoadedConfig = {
  readonly config: Config;
  readonly settings: Settings;
  /** The path of flwd.yaml as errors show it; null: no flwd.yaml was found. */
  readonly file: string | null;
  readonly warnings: readonly string[];
};

/** The configuration cannot be used. Each line of the message is one error and its place. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly errors: readonly string[];
  /** Warnings about lines that are accepted. */
  readonly warnings: readonly string[];

  constructor(errors: readonly SettingError[], warnings: readonly string[] = []) {
    const lines = [...new Set(errors.toSorted(byLine).map(({ origin, message }) => `${placeOf(origin)}: ${message}`))];
    super(lines.join('\n'));
    this.errors = lines;
    this.warnings = warnings;
  }
}

/** @throws ConfigError */
export function loadConfig(flags: Flags, environment: NodeJS.ProcessEnv, cwd: string): LoadedConfig {
  const home = ownHome(environment);
  const settings = createSettings();
  const found = findFile(flags.config, cwd, home);
  const fileBase = { dir: found ? dirname(found.path) : cwd, home };
  const base = { dir: cwd, home };

  if (found) readYaml(found.text, found.shown, fileBase, settings);
  const strayVariables = readEnvironment(environment, base, settings);
  for (const [path, flag, raw] of [
    ['server.bind', '--bind', flags.bind],
    ['instance.data_dir', '--data-dir', flags.dataDir],
    ['security.default_profile', '--profile', flags.profile],
    ['logging.format', '--log', flags.log],
  ] satisfies [KeyPath, string, string | undefined][]) {
    if (raw !== undefined) put(settings, path, undefined, raw, { kind: 'flag', name: flag }, base);
  }
  if (flags.jobs) replaceSources(settings, flags.jobs, base);
  else if (!settings.items.has('sources')) addDefaultSource(settings, fileBase);

  fillDefaults(settings, { environment, home, cores: availableParallelism() }, fileBase);
  checkSources(settings, fileBase);
  checkSettings(settings);
  if (flags.dev) checkDev(settings);
  const notes = settings.notes.map(({ origin, message }) => `${placeOf(origin)}: ${message}`);
  const warnings = [...(found?.warnings ?? []), ...strayVariables, ...notes, ...noteExtensions(settings)];
  if (settings.errors.length > 0) throw new ConfigError(settings.errors, warnings);
  return { config: toConfig(settings, { isDev: flags.dev ?? false }), settings, file: found?.shown ?? null, warnings };
}

function findFile(given: string | undefined, cwd: string, home: string) {
  const path = given === undefined ? undefined : resolve(cwd, withHome(given, home));
  for (const candidate of path ? [path] : configPlaces(cwd, home)) {
    const inside = relative(cwd, candidate);
    const shown = inside.startsWith('..') || isAbsolute(inside) ? candidate : inside;
    try {
      return { path: candidate, shown, ...readOwn(candidate, shown, path !== undefined) };
    } catch (error) {
      const code = errorCode(error);
      if (!code) throw error;
      if (!path && code === 'ENOENT') continue;
      throw unusable(shown, `cannot be read: ${unreadable[code] ?? code}`);
    }
  }
  return undefined;
}

/**
 * Reads flwd.yaml. If the operator has not named the file, it must belong to this user, because it decides which code
 * flwd runs: a search could find a file of somebody else in a folder such as /tmp.
 * @param isNamed whether the operator has named the file, for example with --config
 */
function readOwn(path: string, shown: string, isNamed: boolean): { text: string; warnings: string[] } {
  // Opening a named pipe that another user left there would block forever.
  const file = openSync(path, isNamed ? constants.O_RDONLY : constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    // A device such as /dev/null does not count: everyone may write to it, and nobody should change its mode.
    const isOpen = isWritableByOthers(stats) && !stats.isCharacterDevice();
    const open = `can be written by other users (mode ${showMode(stats)}), who could then decide what this server runs: chmod go-w ${shown}`;
    if (!isNamed) {
      const other = [stats, lstatSync(path)].find(isAnothers);
      if (other) {
        throw unusable(
          shown,
          `belongs to another user (uid ${other.uid}), so flwd does not use it: chown it, or name it with --config ${shown}`,
        );
      }
      if (isOpen) throw unusable(shown, `${open}, or name it with --config ${shown}`);
      if (!stats.isFile() && !stats.isDirectory())
        throw unusable(shown, `is not a regular file, so flwd does not use it: name it with --config ${shown}`);
    }
    return { text: readFileSync(file, 'utf8'), warnings: isOpen ? [`${shown} ${open}`] : [] };
  } finally {
    closeSync(file);
  }
}

function unusable(shown: string, message: string): ConfigError {
  return new ConfigError([{ origin: { kind: 'flag', name: shown }, message }]);
}

const unreadable: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
};

/** Errors in the file come first, in the order of its lines. */
function byLine(a: SettingError, b: SettingError): number {
  return rank(a.origin) - rank(b.origin);
}

function rank(origin: Origin): number {
  return origin.kind === 'file' ? origin.line * 1e6 + origin.column : Number.MAX_SAFE_INTEGER;
}
