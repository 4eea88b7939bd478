// Turns the table of keys into a tree, nested as in flwd.yaml.

import { isKeyPath, type KeyPath, keys, securityProfiles } from './keys.ts';
import { keySpellings, type Spelling } from './spellings.ts';

export type Section = { readonly type: 'section'; readonly members: Map<string, Shape> };

export type Shape =
  | { readonly type: 'key'; readonly path: KeyPath }
  | { readonly type: 'spelling'; readonly spelling: Spelling }
  | Section
  | { readonly type: 'list'; readonly item: Section }
  /** A map by name. `names` lists the possible names; null: any. */
  | { readonly type: 'map'; readonly item: Section; readonly names: readonly string[] | null };

export const keyPaths = Object.keys(keys).filter(isKeyPath);

/** Returns the place of a key in a file. For `sources[].path` at 2, it is `sources[2].path`. */
export function locate(path: string, at: number | string = ''): string {
  return path.replace('[]', `[${at}]`).replace(/<\w+>/, String(at));
}

export const root: Section = newSection();
for (const path of keyPaths) plant(root, path.split('.'), { type: 'key', path });
for (const [path, spelling] of Object.entries(keySpellings))
  plant(root, path.split('.'), { type: 'spelling', spelling });

/** The names of a section's keys and sections, without other spellings of them. */
export function namesOf(section: Section): readonly string[] {
  return [...section.members].flatMap(([name, shape]) => (isOwn(shape) ? [name] : []));
}

function isOwn(shape: Shape): boolean {
  if (shape.type === 'section') return namesOf(shape).length > 0;
  return shape.type !== 'spelling';
}

function newSection(): Section {
  return { type: 'section', members: new Map() };
}

function plant(section: Section, [word = '', ...rest]: readonly string[], leaf: Shape): void {
  if (rest.length === 0) {
    section.members.set(word, leaf);
    return;
  }
  const name = word.replace('[]', '');
  const [next = ''] = rest;
  const known = section.members.get(name);
  if (word.endsWith('[]')) {
    const list = known?.type === 'list' ? known : ({ type: 'list', item: newSection() } as const);
    section.members.set(name, list);
    plant(list.item, rest, leaf);
  } else if (next.startsWith('<')) {
    const names = next === '<profile>' ? securityProfiles : null;
    const map = known?.type === 'map' ? known : ({ type: 'map', item: newSection(), names } as const);
    section.members.set(name, map);
    plant(map.item, rest.slice(1), leaf);
  } else {
    const inner = known?.type === 'section' ? known : newSection();
    section.members.set(name, inner);
    plant(inner, rest, leaf);
  }
}
