// Decides where jobs come from: the sources in flwd.yaml, the folders of --jobs, or a default source.

import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { UsingSource } from '../domain/policy.ts';
import { folderTrouble } from '../lib/files/readable-folder.ts';
import { type Key, keys } from './keys.ts';
import type { Base } from './kind.ts';
import { type Item, placeOf, put, type Setting, type Settings, settingAt, valueAt } from './settings.ts';
import { keyPaths } from './shape.ts';

/** A folder of jobs. This version supports only the type `fs`. */
export type Source = UsingSource & {
  readonly type: 'fs';
  /** Neither flwd.yaml nor `--jobs` names a source. */
  readonly isDefault: boolean;
  /** A full path. */
  readonly path: string;
  /** The path as the operator wrote it. */
  readonly displayPath: string;
  readonly mountPath: string;
  readonly watch: boolean;
};

/** Replaces all other sources with the folders of --jobs. */
export function replaceSources(settings: Settings, dirs: readonly string[], base: Base): void {
  for (const place of settings.entries.keys()) if (place.startsWith('sources[')) settings.entries.delete(place);
  const origin = { kind: 'flag', name: '--jobs' } as const;
  settings.items.set(
    'sources',
    dirs.map((_, at) => ({ at, origin })),
  );
  for (const [at, dir] of dirs.entries()) put(settings, 'sources[].path', at, dir, origin, base);
}

/**
 * The default source: the folder `jobs` beside flwd.yaml if it exists, otherwise the folder of flwd.yaml itself. If the
 * folder of flwd.yaml contains the data dir, the source is always `jobs`.
 */
export function addDefaultSource(settings: Settings, base: Base): void {
  const origin = { kind: 'default' } as const;
  settings.items.set('sources', [{ at: 0, origin }]);
  put(settings, 'sources[].name', 0, 'local-fs', origin, base);
  const dataDir = settingAt(settings, 'instance.data_dir')?.value;
  const isUsable = typeof dataDir !== 'string' || !isWalkedTo(dataDir, base.dir);
  put(settings, 'sources[].path', 0, isFolder(join(base.dir, 'jobs')) || !isUsable ? './jobs' : '.', origin, base);
}

/** Checks all sources. A source without a name gets a name. */
export function checkSources(settings: Settings, base: Base): void {
  const items = settings.items.get('sources') ?? [];
  const taken = new Map<string, Item>();
  for (const item of items) {
    const name = valueAt(settings, 'sources[].name', item.at);
    const first = taken.get(name);
    if (name && first) {
      const origin = settingAt(settings, 'sources[].name', item.at)?.origin ?? item.origin;
      const message = `another source has the name \`${name}\` (${placeOf(first.origin)}): give each its own name`;
      settings.errors.push({ origin, message });
    }
    if (name) taken.set(name, item);
    checkSource(settings, item);
  }
  for (const item of items.filter(({ at }) => !valueAt(settings, 'sources[].name', at))) {
    const name = freeName(basename(valueAt(settings, 'sources[].path', item.at) ?? ''), taken);
    taken.set(name, item);
    put(settings, 'sources[].name', item.at, name, { kind: 'default' }, base);
  }
  for (const item of items) checkTrust(settings, item, items);
}

/** Records an error if the jobs of an untrusted source could take the id of another source's job (ADR 0065). */
function checkTrust(settings: Settings, { at, origin }: Item, items: readonly Item[]): void {
  const isTrusted = (other: Item['at']) => valueAt(settings, 'sources[].trusted', other);
  if (isTrusted(at)) {
    for (const path of keyPaths) {
      const { isForUntrusted }: Key = keys[path];
      const setting = isForUntrusted && settingAt(settings, path, at);
      if (!setting || setting.origin.kind === 'default') continue;
      const name = path.slice('sources[].'.length);
      const message = `\`${name}\` is only for sources with \`trusted: false\`: the jobs of a trusted source may use everything`;
      settings.errors.push({ origin: setting.origin, message });
    }
    return;
  }
  for (const key of ['calls', 'triggers'] as const) checkNamedSources(settings, at, items, key);
  checkFolder(settings, { at, origin }, items);
  const mountPath = valueAt(settings, 'sources[].mountPath', at);
  const add = (message: string): void => {
    const place = settingAt(settings, 'sources[].mountPath', at)?.origin;
    settings.errors.push({ origin: place && place.kind !== 'default' ? place : origin, message });
  };
  if (mountPath === '.') {
    add(
      'a source with `trusted: false` needs a `mountPath` of its own, so that its jobs cannot take the ids of others',
    );
    return;
  }
  for (const { at: other } of items) {
    const theirs = valueAt(settings, 'sources[].mountPath', other);
    const isInside = theirs === mountPath || (!isTrusted(other) && mountPath.startsWith(`${theirs}/`));
    if (other === at || !isInside) continue;
    const name = valueAt(settings, 'sources[].name', other);
    const how = theirs === mountPath ? 'also that' : 'inside that';
    add(
      `the \`mountPath\` of a source with \`trusted: false\` must be its own, and \`${mountPath}\` is ${how} of the source \`${name}\``,
    );
    return;
  }
}

function checkSource(settings: Settings, { at, origin }: Item): void {
  const type = valueAt(settings, 'sources[].type', at);
  if (type !== 'fs') {
    const how = type === 'git' ? 'clone the repository' : 'copy the jobs out of the image';
    const message = `sources of type \`${type}\` are not supported yet: ${how}, and name the folder in \`path\``;
    settings.errors.push({ origin: settingAt(settings, 'sources[].type', at)?.origin ?? origin, message });
    return;
  }
  for (const path of keyPaths.filter((path) => path.startsWith('sources[]'))) {
    const { sourceTypes }: Key = keys[path];
    const setting = settingAt(settings, path, at);
    if (!setting || setting.origin.kind === 'default' || !sourceTypes || sourceTypes.includes(type)) continue;
    const message = `\`${path.slice('sources[].'.length)}\` is only for sources of type ${sourceTypes.join(' or ')}, but this one has the type fs`;
    settings.errors.push({ origin: setting.origin, message });
  }
  const path = settingAt(settings, 'sources[].path', at);
  if (path?.origin.kind === 'default' && path.value === null) {
    settings.errors.push({ origin, message: `\`sources[${at}].path\` is missing` });
  } else if (path && isWalkedTo(valueAt(settings, 'instance.data_dir'), String(path.value))) {
    const isDefault = path.origin.kind === 'default';
    const where = isDefault ? settingAt(settings, 'instance.data_dir')?.origin : path.origin;
    const message = `the data dir is inside ${String(path.raw)}, the folder in which flwd looks for jobs: move the data dir, or put the jobs into a folder of their own`;
    settings.errors.push({ origin: where ?? origin, message });
  } else if (typeof path?.value === 'string') noteTrouble(settings, path, path.value);
}

/**
 * Notes that the folder of a source is missing, or that this user may not read it. This is an error only for a folder
 * of --jobs: a folder that flwd.yaml names may be mounted or deployed after the server has started.
 */
function noteTrouble(settings: Settings, { origin, raw }: Setting, path: string): void {
  const trouble = folderTrouble(path);
  if (!trouble) return;
  const what = {
    missing: `there is no folder ${String(raw)}`,
    other: `${String(raw)} is not a folder`,
    unreadable: `uid ${process.geteuid?.()} may not read the folder ${String(raw)}`,
  }[trouble];
  const until =
    trouble === 'unreadable'
      ? `${what}, so flwd finds no jobs there`
      : `${what}, so the jobs of this source cannot run until the folder exists`;
  const dataDir = origin.kind === 'default' ? settingAt(settings, 'instance.data_dir')?.origin : undefined;
  if (origin.kind === 'flag' || trouble === 'other') settings.errors.push({ origin, message: what });
  else if (dataDir && trouble === 'missing')
    settings.notes.push({ origin: dataDir, message: `${until}; flwd does not look in ., which contains the data dir` });
  else settings.notes.push({ origin, message: until });
}

/** Whether the search for jobs enters this folder. It skips node_modules, and folders whose names begin with a dot. */
function isWalkedTo(dir: string, source: string): boolean {
  return relative(source, dir)
    .split('/')
    .every((segment) => !segment.startsWith('.') && segment !== 'node_modules');
}

export function toSources(settings: Settings): readonly Source[] {
  return (settings.items.get('sources') ?? []).map(({ at, origin }) => ({
    isDefault: origin.kind === 'default',
    name: valueAt(settings, 'sources[].name', at),
    type: 'fs',
    path: valueAt(settings, 'sources[].path', at) ?? '',
    displayPath: String(settingAt(settings, 'sources[].path', at)?.raw),
    mountPath: valueAt(settings, 'sources[].mountPath', at),
    watch: valueAt(settings, 'sources[].watch', at),
    ...trustOf(settings, at),
  }));
}

/**
 * Records an error if an untrusted source shares files with a trusted source, because the trusted source would run
 * these files as its own.
 */
function checkFolder(settings: Settings, { at, origin }: Item, items: readonly Item[]): void {
  const own = realPathOf(settings, at);
  for (const { at: other } of items) {
    if (other === at || !valueAt(settings, 'sources[].trusted', other)) continue;
    const theirs = realPathOf(settings, other);
    if (own === null || theirs === null || !(isWalkedTo(own, theirs) || isWalkedTo(theirs, own))) continue;
    const name = valueAt(settings, 'sources[].name', other);
    const message = `a source with \`trusted: false\` must not share a folder with a trusted one, and this one shares files with the source \`${name}\`: move its folder out of the other`;
    settings.errors.push({ origin: settingAt(settings, 'sources[].path', at)?.origin ?? origin, message });
    return;
  }
}

/** Returns null if the source has no path. Another check reports this error. */
function realPathOf(settings: Settings, at: Item['at']): string | null {
  const path = valueAt(settings, 'sources[].path', at);
  return typeof path === 'string' ? realPathTo(path) : null;
}

/** Follows links as far as the path exists. */
function realPathTo(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPathTo(parent), basename(path));
  }
}

function checkNamedSources(
  settings: Settings,
  at: Item['at'],
  items: readonly Item[],
  key: 'calls' | 'triggers',
): void {
  const setting = settingAt(settings, `sources[].${key}`, at);
  const names = valueAt(settings, `sources[].${key}`, at);
  if (!setting || !Array.isArray(names)) return;
  const known = items.map((item) => valueAt(settings, 'sources[].name', item.at));
  for (const name of names.filter((one) => !known.includes(one)))
    settings.errors.push({
      origin: setting.origin,
      message: `\`${key}\` names the source \`${name}\`, which does not exist`,
    });
}

function trustOf(settings: Settings, at: Item['at']): Pick<Source, 'trusted' | 'mayUse'> {
  if (valueAt(settings, 'sources[].trusted', at)) return { trusted: true };
  return {
    trusted: false,
    mayUse: {
      secrets: valueAt(settings, 'sources[].secrets', at),
      schedules: valueAt(settings, 'sources[].schedules', at),
      webhooks: valueAt(settings, 'sources[].webhooks', at),
      notify: valueAt(settings, 'sources[].notify', at),
      calls: valueAt(settings, 'sources[].calls', at),
      triggers: valueAt(settings, 'sources[].triggers', at),
      kv: valueAt(settings, 'sources[].kv', at),
    },
  };
}

/** Makes a source's name from the name of its folder, with a number if the name is taken. */
function freeName(folder: string, taken: ReadonlyMap<string, unknown>): string {
  const name =
    folder
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 50) || 'local-fs';
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}-${number}`;
  return free;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
