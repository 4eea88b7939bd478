// Where jobs come from: the sources in flwd.yaml, the folders of --jobs, or a default source.

import { statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { type Key, keys } from './keys.ts';
import type { Base } from './kind.ts';
import { type Item, placeOf, put, type Settings, settingAt, valueAt } from './settings.ts';
import { keyPaths } from './shape.ts';

/** A folder of jobs. This version supports only the type `fs`. */
export type Source = {
  readonly name: string;
  readonly type: 'fs';
  /** Absolute. */
  readonly path: string;
  /** The path as the operator wrote it. */
  readonly displayPath: string;
  readonly mountPath: string;
  readonly watch: boolean;
  readonly trusted: boolean;
};

/** The folders of --jobs replace all other sources. */
export function replaceSources(settings: Settings, dirs: readonly string[], base: Base): void {
  for (const place of settings.entries.keys()) if (place.startsWith('sources[')) settings.entries.delete(place);
  const origin = { kind: 'flag', name: '--jobs' } as const;
  settings.items.set(
    'sources',
    dirs.map((_, at) => ({ at, origin })),
  );
  for (const [at, dir] of dirs.entries()) put(settings, 'sources[].path', at, dir, origin, base);
}

/** The default source: the folder `jobs` beside flwd.yaml, or else the folder of flwd.yaml itself. */
export function addDefaultSource(settings: Settings, base: Base): void {
  const origin = { kind: 'default' } as const;
  settings.items.set('sources', [{ at: 0, origin }]);
  put(settings, 'sources[].name', 0, 'local-fs', origin, base);
  put(settings, 'sources[].path', 0, isFolder(join(base.dir, 'jobs')) ? './jobs' : '.', origin, base);
}

/** Checks all sources, and names those without a name. */
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
  } else if (typeof path?.value === 'string' && !isFolder(path.value)) {
    settings.errors.push({ origin: path.origin, message: `there is no folder ${String(path.raw)}` });
  } else if (path && isWalkedTo(valueAt(settings, 'instance.data_dir'), String(path.value))) {
    const isDefault = path.origin.kind === 'default';
    const where = isDefault ? settingAt(settings, 'instance.data_dir')?.origin : path.origin;
    const message = `the data dir is inside ${String(path.raw)}, the folder in which flwd looks for jobs: move the data dir, or put the jobs into a folder of their own`;
    settings.errors.push({ origin: where ?? origin, message });
  }
}

/** Folders that begin with a dot and node_modules are never searched for jobs. */
function isWalkedTo(dir: string, source: string): boolean {
  return relative(source, dir)
    .split('/')
    .every((segment) => !segment.startsWith('.') && segment !== 'node_modules');
}

export function toSources(settings: Settings): readonly Source[] {
  return (settings.items.get('sources') ?? []).map(({ at }) => ({
    name: valueAt(settings, 'sources[].name', at),
    type: 'fs',
    path: valueAt(settings, 'sources[].path', at) ?? '',
    displayPath: String(settingAt(settings, 'sources[].path', at)?.raw),
    mountPath: valueAt(settings, 'sources[].mountPath', at),
    watch: valueAt(settings, 'sources[].watch', at),
    trusted: valueAt(settings, 'sources[].trusted', at),
  }));
}

/** A source's name from its folder, with a number if the name is taken. */
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
