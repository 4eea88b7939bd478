// Parses the text of a config.yaml into a JSON value, and finds the place of each of its parts. Limits bound the time
// and the memory that a hostile text can use. Splitting a long text into tokens yields to other work. Composing a
// document from the tokens does not.

import type { Alias, CST, Document } from 'yaml';
import type { JsonValue } from '../../domain/job.ts';
import { readSimpleYaml } from '../../lib/yaml/simple-yaml.ts';
import { yaml } from '../../lib/yaml/yaml.ts';
import { isTooDeep, nestingLimit, tooDeep } from '../../lib/yaml/yaml-nesting.ts';
import { ownErrors, repeatedKey, yamlWords } from '../../lib/yaml/yaml-words.ts';
import type { Yielder } from '../../lib/yielder.ts';

/** Longer texts are read in slices. */
const simpleLimit = 16 * 1024;
/** The most lexemes of a text. A dense config.yaml of 256 KiB has 90,000; 260,000 take 2.5 s. */
const lexemeLimit = 100_000;
/** The limit for documents, directives, and comments between them. */
const tokenLimit = 1000;
/**
 * The most aliases of a text. They are counted before anything is composed, because composing 9,000 aliases takes a
 * second.
 */
const aliasLimit = 100;
/** The lexer emits this mark before the text of a scalar, whatever the text begins with. */
const scalarMark = '\u{1f}';
const syntaxErrorLimit = 20;

type Place = { readonly line: number; readonly column: number };
/** What an error points to: a member's value, its key, or the place where the member is missing. */
export type Spot = 'value' | 'key' | 'missing';
type TextError = Place & { readonly message: string };

export type ConfigText = {
  readonly value: JsonValue;
  readonly placeOf: (path: readonly string[], spot: Spot) => Place;
};

export async function parseConfigText(text: string, maybeYield: Yielder): Promise<ConfigText | readonly TextError[]> {
  const simple = text.length <= simpleLimit ? readSimpleYaml(text) : undefined;
  if (simple !== undefined) {
    let document: Document.Parsed | undefined;
    return {
      value: simple,
      placeOf(path, spot) {
        document ??= yaml().parseDocument(text, { uniqueKeys: false });
        return placeOf(text, { document, targetOf: targetsIn(document) }, path, spot);
      },
    };
  }
  const errorAt = (offset: number, message: string): TextError => ({ ...placeAt(text, offset), message });
  const tokens = await tokenize(text, maybeYield);
  if ('message' in tokens) return [errorAt(tokens.offset, tokens.message)];

  // The library's own check for duplicate keys compares every pair: 63 s for 256 KiB of keys.
  const composer = new (yaml().Composer)({ uniqueKeys: false, logLevel: 'silent' });
  const [document, second] = composer.compose(tokens, true, text.length);
  if (!document) return [errorAt(0, 'is empty')];
  if (second) return [errorAt(second.range[0], 'there is more than one document')];
  const targetOf = targetsIn(document);
  const syntax = ownErrors([...document.errors, ...document.warnings]).map((error) => ({
    offset: error.pos[0],
    message: yamlWords(error),
  }));
  const errors = syntax.length > 0 ? syntax : findMisused(text, document, targetOf);
  if (errors.length > 0) {
    return errors.slice(0, syntaxErrorLimit).map(({ offset, message }) => errorAt(offset, message));
  }
  const value = toValue(document);
  if (value === undefined) return [errorAt(0, 'its aliases expand to too much data')];
  const alien = whatIsNotJson(value);
  const composed = { document, targetOf };
  if (alien) return [{ ...placeOf(text, composed, alien.path, 'value'), message: alien.message }];
  return { value, placeOf: (path, spot) => placeOf(text, composed, path, spot) };
}

async function tokenize(text: string, maybeYield: Yielder): Promise<CST.Token[] | { offset: number; message: string }> {
  const { Lexer, Parser } = yaml();
  const tokens: CST.Token[] = [];
  const parser = new Parser();
  let lexemes = 0;
  let aliases = 0;
  let isText = false;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (!isText && lexeme.startsWith('*') && ++aliases > aliasLimit)
      return { offset: parser.offset - lexeme.length, message: `there are more than ${aliasLimit} aliases` };
    isText = lexeme === scalarMark;
    if (isTooDeep(parser)) return { offset: parser.offset, message: tooDeep };
    lexemes += 1;
    if (lexemes > lexemeLimit || tokens.length > tokenLimit) {
      // The number is formatted here and not at load time, because formatting the first number for a locale takes 10
      // ms.
      return {
        offset: parser.offset,
        message: `has more than ${lexemeLimit.toLocaleString('en')} words and signs: make the file smaller`,
      };
    }
    if (lexemes % 512 === 0) await maybeYield();
  }
  tokens.push(...parser.end());
  return tokens;
}

/** The result has this type only if whatIsNotJson finds nothing in it. */
function toValue(document: Document.Parsed): JsonValue | undefined {
  try {
    return document.toJS({ maxAliasCount: aliasLimit }) ?? null;
  } catch (error) {
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

type TargetOf = (alias: Alias) => unknown;
type Composed = { readonly document: Document.Parsed; readonly targetOf: TargetOf };

/**
 * Finds what an alias stands for: the last anchor of its name above it. The library would search the whole text for
 * each alias.
 */
function targetsIn(document: Document.Parsed): TargetOf {
  let anchors: Map<string, { readonly offset: number; readonly node: unknown }[]> | undefined;
  const collect = () => {
    const found: NonNullable<typeof anchors> = new Map();
    yaml().visit(document, {
      Value(_key, node) {
        if (node.anchor === undefined) return;
        const others = found.get(node.anchor) ?? [];
        others.push({ offset: node.range?.[0] ?? 0, node });
        found.set(node.anchor, others);
      },
    });
    return found;
  };
  return ({ source, range }) => {
    anchors ??= collect();
    const offset = range?.[0] ?? 0;
    return anchors.get(source)?.findLast((anchor) => anchor.offset < offset)?.node;
  };
}

/** Finds duplicate keys, and aliases without an anchor. */
function findMisused(
  text: string,
  document: Document.Parsed,
  targetOf: TargetOf,
): { offset: number; message: string }[] {
  const { isAlias, isMap, isNode, isSeq } = yaml();
  const misused: { offset: number; message: string }[] = [];
  const open: unknown[] = [document.contents];
  while (open.length > 0 && misused.length < syntaxErrorLimit) {
    const node = open.pop();
    const offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
    if (isAlias(node)) {
      if (targetOf(node) === undefined)
        misused.push({ offset, message: `there is no anchor \`&${node.source}\` above` });
    }
    if (isSeq(node)) open.push(...node.items);
    if (!isMap(node)) continue;
    const firsts = new Map<string, number>();
    for (const { key, value } of node.items) {
      open.push(value);
      const name = keyOf(key);
      const keyOffset = (isNode(key) && key.range?.[0]) || offset;
      const first = firsts.get(name);
      if (first === undefined) firsts.set(name, keyOffset);
      else if (misused.length < syntaxErrorLimit)
        misused.push({ offset: keyOffset, message: repeatedKey(name, placeAt(text, first).line) });
    }
  }
  return misused;
}

/** Returns the name that toJS() gives a key. */
function keyOf(key: unknown): string {
  if (!yaml().isScalar(key)) return String(key);
  if (key.value === null) return '';
  return typeof key.value === 'string' ? key.value : JSON.stringify(key.value);
}

/**
 * Finds a part that JSON cannot represent. YAML has values that JSON does not have, and an anchor can contain itself.
 */
function whatIsNotJson(root: unknown): { path: readonly string[]; message: string } | undefined {
  const look = (value: unknown, path: readonly string[]): { path: readonly string[]; message: string } | undefined => {
    if (typeof value === 'string' && value.includes('\0')) return { path, message: 'must not contain a NUL character' };
    if (typeof value === 'number' && !Number.isFinite(value)) return { path, message: 'must be a finite number' };
    if (typeof value !== 'object' || value === null) return undefined;
    if (path.length >= nestingLimit) return { path: [], message: tooDeep };
    if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) {
      return { path, message: 'must be a string, a number, true, false, null, a list or a map' };
    }
    for (const [key, member] of Object.entries(value)) {
      const found = look(member, [...path, key]);
      if (found) return found;
    }
    return undefined;
  };
  return look(root, []);
}

function placeOf(text: string, { document, targetOf }: Composed, path: readonly string[], spot: Spot): Place {
  const { isAlias, isMap, isNode, isSeq } = yaml();
  let node: unknown = document.contents;
  let offset = 0;
  const steps = spot === 'missing' ? path.slice(0, -1) : path;
  for (const step of steps) {
    const holder = isAlias(node) ? targetOf(node) : node;
    const pair = isMap(holder) ? holder.items.find(({ key }) => keyOf(key) === step) : undefined;
    const item = isSeq(holder) ? holder.items[Number(step)] : undefined;
    const key = pair?.key;
    if (isNode(key)) offset = key.range?.[0] ?? offset;
    node = pair ? pair.value : item;
    // A block map or list begins on the line below its key. A missing member is reported at the key.
    if (isNode(item)) offset = item.range?.[0] ?? offset;
  }
  if (spot === 'value' && isNode(node) && !isMap(node) && !isSeq(node)) offset = node.range?.[0] ?? offset;
  return placeAt(text, offset);
}

function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let at = before.indexOf('\n'); at !== -1; at = before.indexOf('\n', at + 1)) line += 1;
  return { line, column: offset - lineStart + 1 };
}
