// The settings from flwd.yaml, the environment and the flags: each value, where it came from, and every error.

import { isDeepStrictEqual } from 'node:util';
import { nearest } from '../lib/nearest.ts';
import { type Key, type KeyPath, type Known, keys, securityProfiles, type ValueOf } from './keys.ts';
import type { Base, Kind } from './kind.ts';
import { keyPaths, locate } from './shape.ts';
import { spelledWord } from './spellings.ts';

export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: 'environment' | 'flag'; readonly name: string };

export type Setting = {
  readonly path: KeyPath;
  readonly raw: unknown;
  readonly value: unknown;
  readonly origin: Origin;
};

export type SettingError = { readonly origin: Origin; readonly message: string };

/** An item of a list, named by its index, or an entry of a map, named by its key. */
export type Item = { readonly at: number | string; readonly origin: Origin };

export type Settings = {
  /** The settings by place: `server.bind`, `sources[0].path`. */
  readonly entries: Map<string, Setting>;
  /**
   * The items of each list, and the entries of each map, that the user has given. The keys are `sources`,
   * `notify.channels` and so on.
   */
  readonly items: Map<string, readonly Item[]>;
  readonly errors: SettingError[];
  /** Notes about values that are accepted, but not quite as they were written. */
  readonly notes: SettingError[];
};

export function createSettings(): Settings {
  return { entries: new Map(), items: new Map(), errors: [], notes: [] };
}

export function settingAt(settings: Settings, path: KeyPath, at?: number | string): Setting | undefined {
  return settings.entries.get(locate(path, at));
}

/** Returns the value of a key. Call this only after the defaults have been filled in. */
export function valueAt<P extends KeyPath>(settings: Settings, path: P, at?: number | string): ValueOf<P> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the kind of this key has read it
  return settingAt(settings, path, at)?.value as ValueOf<P>;
}

/** Sets a key to what the user wrote. A value of the wrong kind is recorded as an error. */
export function put(
  settings: Settings,
  path: KeyPath,
  at: number | string | undefined,
  written: unknown,
  origin: Origin,
  base: Base,
): void {
  const { kind, isSecret }: Key = keys[path];
  const place = locate(path, at);
  const { raw, instead, note } = respell(path, at, written);
  const value = instead === undefined ? kind.read(raw, base) : undefined;
  if (note !== undefined) settings.notes.push({ origin, message: `\`${place}\`: ${note}` });
  if (instead !== undefined) settings.errors.push({ origin, message: `\`${place}\` ${instead}` });
  else if (value === undefined) {
    const part = kind.wrongPart?.(raw);
    const but = isSecret ? '' : part === undefined ? `, not ${shown(raw)}${suggestion(kind, raw)}` : `; ${part}`;
    settings.errors.push({ origin, message: `\`${place}\` must be ${kind.expected}${but}` });
  }
  settings.entries.set(place, { path, raw, value, origin });
}

type Respelled = { readonly raw: unknown; readonly note?: string; readonly instead?: string };

/**
 * If the value is a word that only other implementations know, returns flwd's own word for it, or advice on what to
 * write instead.
 */
function respell(path: KeyPath, at: number | string | undefined, raw: unknown): Respelled {
  const words = [raw].flat().filter((word) => typeof word === 'string');
  for (const word of words) {
    const spelled = spelledWord(path, at, word);
    if (spelled && 'instead' in spelled) return { raw, instead: `does not take \`${word}\`: ${spelled.instead}` };
    if (spelled && !Array.isArray(raw)) return spelled;
  }
  return { raw };
}

/** Gives every unset key its default, and records errors for missing keys and unsupported values. */
export function fillDefaults(settings: Settings, known: Omit<Known, 'dataDir' | 'name'>, base: Base): void {
  for (const path of keyPaths) {
    const { kind, default: given, notYet, isRequired, isSecret }: Key = keys[path];
    for (const { at, origin } of itemsOf(settings, path)) {
      const place = locate(path, at);
      const dataDir = valueAt(settings, 'instance.data_dir');
      const raw = typeof given === 'function' ? given({ ...known, dataDir, name: String(at) }) : given;
      const value = raw === null ? null : kind.read(raw, base);
      const set = settings.entries.get(place);
      if (set === undefined && isRequired) {
        settings.errors.push({ origin, message: `\`${place}\` is missing` });
      } else if (set?.value === undefined) {
        settings.entries.set(place, { path, raw, value, origin: set?.origin ?? { kind: 'default' } });
      } else if (notYet && !isDeepStrictEqual(set.value, value)) {
        const what = isSecret ? '' : ` with ${shown(set.raw)}`;
        settings.errors.push({ origin: set.origin, message: `\`${place}\`${what} is not supported yet: ${notYet}` });
      }
    }
  }
}

/** Records an error where the key was set. */
export function addError(settings: Settings, path: KeyPath, message: string, at?: string | number): void {
  settings.errors.push({ origin: settingAt(settings, path, at)?.origin ?? { kind: 'default' }, message });
}

export function itemsOf(settings: Settings, path: KeyPath): readonly Item[] {
  const origin: Origin = { kind: 'default' };
  if (path.includes('<profile>')) return securityProfiles.map((at) => ({ at, origin }));
  const [, list] = /^([\w.]+)(?:\[\]|\.<)/.exec(path) ?? [];
  return list ? (settings.items.get(list) ?? []) : [{ at: '', origin }];
}

/** Where an error is: `flwd.yaml:12:3`, `FLWD_SERVER_BIND`, `--bind`. */
export function placeOf(origin: Origin): string {
  if (origin.kind === 'file') return `${origin.file}:${origin.line}:${origin.column}`;
  return origin.kind === 'default' ? 'default' : origin.name;
}

function shown(raw: unknown): string {
  if (typeof raw === 'string' || typeof raw === 'number' || typeof raw === 'boolean') return `\`${cut(String(raw))}\``;
  return Array.isArray(raw) ? `the list \`${cut(raw.join(', '))}\`` : 'a map';
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function suggestion(kind: Kind<unknown>, raw: unknown): string {
  const { words = [] } = kind;
  const wrong = [raw].flat().find((word) => !words.includes(String(word)));
  const near = kind.near?.(raw) ?? nearest(String(wrong), words);
  return near ? `; did you mean \`${near}\`?` : '';
}
