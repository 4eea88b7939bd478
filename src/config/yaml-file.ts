// Reads flwd.yaml into settings, with the line and column of each value. Suggests the nearest key for an unknown one.

import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { nearest } from '../lib/nearest.ts';
import { findTooDeep, tooDeep } from '../lib/yaml/yaml-nesting.ts';
import { firstAtEachPlace, yamlWords } from '../lib/yaml/yaml-words.ts';
import type { Base } from './kind.ts';
import { type Item, type Origin, put, type Settings } from './settings.ts';
import { locate, namesOf, root, type Section, type Shape } from './shape.ts';
import type { Spelling } from './spellings.ts';

/** @param file the name that errors show */
export function readYaml(text: string, file: string, base: Base, settings: Settings): void {
  const addError: AddError = (origin, message) => settings.errors.push({ origin, message });
  const nodes = openDocument(text, file, addError);
  if (nodes) readDocument(nodes, addError, base, settings);
}

type AddError = (origin: Origin, message: string) => void;
/** The nodes of one document, with aliases resolved. */
type Nodes = {
  readonly contents: Node;
  readonly resolved: (node: unknown) => Node | null;
  readonly originOf: (node: Node | null) => Origin;
};

/** undefined if the file is empty or not valid YAML. */
function openDocument(text: string, file: string, addError: AddError): Nodes | undefined {
  const deepAt = findTooDeep(text);
  if (deepAt !== undefined) {
    const linesBefore = text.slice(0, deepAt).split('\n');
    const column = (linesBefore.at(-1)?.length ?? 0) + 1;
    addError({ kind: 'file', file, line: linesBefore.length, column }, `the file ${tooDeep}`);
    return undefined;
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });

  function originAt(offset: number): Origin {
    const { line, col } = lines.linePos(offset);
    return { kind: 'file', file, line, column: col };
  }
  const originOf = (node: Node | null) => originAt(node?.range?.[0] ?? 0);
  function resolved(node: unknown): Node | null {
    if (!isAlias(node)) return isNode(node) ? node : null;
    const anchored = node.resolve(document);
    if (!anchored) addError(originOf(node), `there is no anchor &${node.source} before this alias`);
    return anchored ?? null;
  }

  for (const error of firstAtEachPlace([...document.errors, ...document.warnings]))
    addError(originAt(error.pos[0]), yamlWords(error));
  const { contents, errors } = document;
  return errors.length === 0 && contents ? { contents, resolved, originOf } : undefined;
}

function readDocument(
  { contents, resolved, originOf }: Nodes,
  addError: AddError,
  base: Base,
  settings: Settings,
): void {
  const plain = plainReader(resolved);

  function* pairsOf(node: Node, place: string): Generator<{ name: string; origin: Origin; value: Node | null }> {
    if (!isMap(node)) {
      addError(originOf(node), place ? `\`${place}\` must be a map of keys` : 'the file must be a map of sections');
      return;
    }
    for (const { key, value } of node.items) {
      const name = resolved(key);
      yield { name: isScalar(name) ? String(name.value) : '?', origin: originOf(name), value: resolved(value) };
    }
  }

  function readSection(node: Node, section: Section, place: string, at?: number | string): void {
    for (const { name, origin, value } of pairsOf(node, place)) {
      const shape = section.members.get(name);
      if (shape) readShape(value, shape, place ? `${place}.${name}` : name, at);
      else addError(origin, unknown('key', name, namesOf(section)));
    }
  }

  function readShape(node: Node | null, shape: Shape, place: string, at?: number | string): void {
    if (node === null || (isScalar(node) && node.value === null)) return;
    if (shape.type === 'key') putOnce(settings, shape.path, at, plain(node), originOf(node), base);
    else if (shape.type === 'spelling') readSpelling(node, shape.spelling, place, at);
    else if (shape.type === 'section') readSection(node, shape, place, at);
    else if (shape.type === 'list') readList(node, shape.item, place);
    else readMap(node, shape, place);
  }

  function readSpelling(node: Node, spelling: Spelling, place: string, at?: number | string): void {
    const origin = originOf(node);
    if ('instead' in spelling) addError(origin, `\`${place}\` is not supported: ${spelling.instead}`);
    else if ('withoutEffect' in spelling)
      settings.notes.push({ origin, message: `\`${place}\` has no effect: ${spelling.withoutEffect}` });
    else putOnce(settings, spelling.key, at, spelling.toRaw?.(plain(node)) ?? plain(node), origin, base);
  }

  function readList(node: Node, item: Section, place: string): void {
    if (!isSeq(node)) {
      addError(originOf(node), `\`${place}\` must be a list`);
      return;
    }
    const items: Item[] = [];
    settings.items.set(place, items);
    for (const [at, each] of node.items.map(resolved).entries()) {
      if (!each || isMap(each)) items.push({ at, origin: originOf(each) });
      if (each) readSection(each, item, `${place}[${at}]`, at);
    }
  }

  function readMap(node: Node, { item, names }: Extract<Shape, { type: 'map' }>, place: string): void {
    const items: Item[] = [];
    if (!names) settings.items.set(place, items);
    for (const { name, origin, value } of pairsOf(node, place)) {
      if (names?.includes(name) === false) addError(origin, unknown('name', name, names));
      else {
        items.push({ at: name, origin });
        if (value) readSection(value, item, `${place}.${name}`, name);
      }
    }
  }

  readSection(contents, root, '');
}

/** YAML itself refuses a key that is there twice, but not the same key under two names. */
function putOnce(...[settings, path, at, raw, origin, base]: Parameters<typeof put>): void {
  const place = locate(path, at);
  const isSet = settings.entries.has(place);
  if (isSet) settings.errors.push({ origin, message: `\`${place}\` is set twice, under two names: remove one` });
  else put(settings, path, at, raw, origin, base);
}

/** Reads a scalar, a list or a map. No value is nested deeper than a map of maps. */
function plainReader(resolved: Nodes['resolved']): (node: Node) => unknown {
  return (node) => read(node, 2);

  function read(node: unknown, levels: number): unknown {
    const value = resolved(node);
    if (isScalar(value)) return value.value;
    if (levels === 0) return undefined;
    if (isSeq(value)) return value.items.map((item) => read(item, levels - 1));
    if (!isMap(value)) return undefined;
    return Object.fromEntries(
      value.items.map(({ key, value: each }) => [String(read(key, 0)), read(each, levels - 1)]),
    );
  }
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return `unknown ${what} \`${name}\`; ${near ? `did you mean \`${near}\`?` : `known: ${known.join(', ')}`}`;
}
