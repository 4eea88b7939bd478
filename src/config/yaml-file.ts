// Reads flwd.yaml into settings, with the line and column of each value. For an unknown key, suggests the nearest known
// key.

import { nearest } from '../lib/nearest.ts';
import type { Base } from './kind.ts';
import { type Item, put, type Settings } from './settings.ts';
import { keyPaths, locate, namesOf, root, type Section, type Shape } from './shape.ts';
import { itemExamples, keyHints, type Spelling } from './spellings.ts';
import { type AddError, openDocument, type Part } from './yaml-document.ts';

/** @param file the name that errors show */
export function readYaml(text: string, file: string, base: Base, settings: Settings): void {
  const addError: AddError = (origin, message) => settings.errors.push({ origin, message });
  const document = openDocument(text, file, addError);
  if (document) readDocument(document, addError, base, settings);
}

function readDocument(document: Part, addError: AddError, base: Base, settings: Settings): void {
  function membersOf(
    part: Part,
    place: string,
    names: readonly string[] = [],
  ): Extract<Part, { type: 'map' }>['members'] {
    if (part.type === 'map') return part.members;
    const known = names.length === 0 ? '' : `; known: ${names.join(', ')}`;
    addError(part.origin, place ? `\`${place}\` must be a map of keys${known}` : 'the file must be a map of sections');
    return [];
  }

  function readSection(part: Part, section: Section, place: string, at?: number | string): void {
    for (const { name, origin, value } of membersOf(part, place, namesOf(section))) {
      const shape = section.members.get(name);
      const inner = place ? `${place}.${name}` : name;
      if (shape) readShape(value, shape, inner, at);
      else addError(origin, unknown('key', name, namesOf(section), keyHints[inner] ?? sectionHint(inner)));
    }
  }

  function readShape(part: Part | null, shape: Shape, place: string, at?: number | string): void {
    if (part === null || (part.type === 'scalar' && part.value === null)) return;
    if (shape.type === 'key') putOnce(settings, shape.path, at, plain(part), part.origin, base);
    else if (shape.type === 'spelling') readSpelling(part, shape.spelling, place, at);
    else if (shape.type === 'section') readSection(part, shape, place, at);
    else if (shape.type === 'list') readList(part, shape.item, place);
    else readMap(part, shape, place);
  }

  function readSpelling(part: Part, spelling: Spelling, place: string, at?: number | string): void {
    const { origin } = part;
    if ('instead' in spelling) addError(origin, `\`${place}\` is not supported: ${spelling.instead}`);
    else if ('withoutEffect' in spelling)
      settings.notes.push({ origin, message: `\`${place}\` has no effect: ${spelling.withoutEffect}` });
    else putOnce(settings, spelling.key, at, spelling.toRaw?.(plain(part)) ?? plain(part), origin, base);
  }

  function readList(part: Part, item: Section, place: string): void {
    if (part.type !== 'list') {
      addError(part.origin, `\`${place}\` must be a list of maps such as \`${itemExamples[place] ?? '{}'}\``);
      return;
    }
    const items: Item[] = [];
    settings.items.set(place, items);
    for (const [at, each] of part.items.entries()) {
      if (!each || each.type === 'map') items.push({ at, origin: each?.origin ?? document.origin });
      if (each) readSection(each, item, `${place}[${at}]`, at);
    }
  }

  function readMap(part: Part, { item, names }: Extract<Shape, { type: 'map' }>, place: string): void {
    const items: Item[] = [];
    if (!names) settings.items.set(place, items);
    for (const { name, origin, value } of membersOf(part, place)) {
      if (names?.includes(name) === false) addError(origin, unknown('name', name, names));
      else {
        items.push({ at: name, origin });
        if (value) readSection(value, item, `${place}.${name}`, name);
      }
    }
  }

  readSection(document, root, '');
}

/**
 * Sets a key, or records an error if the key is already set. YAML refuses a key that occurs twice, but not the same key
 * under two names.
 */
function putOnce(...[settings, path, at, raw, origin, base]: Parameters<typeof put>): void {
  const place = locate(path, at);
  const isSet = settings.entries.has(place);
  if (isSet) settings.errors.push({ origin, message: `\`${place}\` is set twice, under two names: remove one` });
  else put(settings, path, at, raw, origin, base);
}

/** Returns the value of a part: a scalar, a list or a map. No value is nested deeper than a map of maps. */
function plain(part: Part | null, levels = 2): unknown {
  if (part?.type === 'scalar') return part.value;
  if (!part || levels === 0) return undefined;
  if (part.type === 'list') return part.items.map((item) => plain(item, levels - 1));
  return Object.fromEntries(part.members.map(({ name, value }) => [name, plain(value, levels - 1)]));
}

/** If the key belongs into a section but was written at the top of the file, names the section. */
function sectionHint(place: string): string | undefined {
  const found = keyPaths.filter((path) => /^\w+\.(\w+)$/.exec(path)?.[1] === place);
  return found.length === 1 ? `did you mean \`${found[0]}\`?` : undefined;
}

function unknown(what: string, name: string, known: readonly string[], hint?: string): string {
  if (hint !== undefined) return `unknown ${what} \`${name}\`; ${hint}`;
  const near = nearest(name, known);
  return `unknown ${what} \`${name}\`; ${near ? `did you mean \`${near}\`?` : `known: ${known.join(', ')}`}`;
}
