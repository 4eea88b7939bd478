// Reads the plain part of YAML in which most config.yaml files are written, 20 times as fast as the library: 5,000 of
// them would take it 1.6 s of the 4 s in which they must be listed. Anything else at all, errors included, is undefined
// here and left to the library (config-text.ts); a property test holds both to the same answers.

import type { JsonObject, JsonValue } from '../../domain/job.ts';

const nestingLimit = 32;
/** No space but the space: trim() knows more of them than YAML. */
const simpleText = /^[\n\x20-\x7e\p{L}\p{N}\p{P}\p{S}]*$/u;
const keyLine = /^([A-Za-z_][A-Za-z0-9_.$-]*):(?: +(.*))?$/;
const flowKey = /([A-Za-z_][A-Za-z0-9_.$-]*): +/y;
/** Neither begins with an indicator nor holds one; spaces only inside. */
const plainText = /^[A-Za-z0-9_./$+(](?:[^#:]|:(?=[^ ])|(?<=[^ ])#)*$/;
const flowPlain = /[A-Za-z0-9_./$+(](?:[^#:,[\]{}'"\n]|:(?=[^ ,[\]{}])|(?<=[^ ])#)*/y;
const singleQuoted = /'((?:[^']|'')*)'/y;
const doubleQuoted = /"(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/y;
const rest = / *(?: #.*)?$/y;
const integer = /^[-+]?[0-9]+$/;
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
/** Other numbers, and nulls and booleans, of the core schema. */
const special = /^(?:0[ox].*|[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)|~|null|Null|NULL|true|True|TRUE|false|False|FALSE)$/;

type Line = { indent: number; text: string };
class NotSimple extends Error {}

export function readSimpleYaml(text: string): JsonValue | undefined {
  if (!simpleText.test(text)) return undefined;
  const lines = text
    .split('\n')
    .map((line): Line => ({ indent: line.search(/[^ ]|$/), text: line.trim() }))
    .filter((line) => line.text !== '' && !line.text.startsWith('#'));
  if (lines.length === 0 || lines[0]?.indent !== 0) return undefined;
  try {
    const reader = { lines, at: 0 };
    const value = readBlock(reader, 0, 0);
    return reader.at === lines.length ? value : undefined;
  } catch (error) {
    if (error instanceof NotSimple) return undefined;
    throw error;
  }
}

type Reader = { readonly lines: Line[]; at: number };

function readBlock(reader: Reader, indent: number, depth: number): JsonValue {
  if (depth > nestingLimit) throw new NotSimple();
  return reader.lines[reader.at]?.text.startsWith('- ')
    ? readList(reader, indent, depth)
    : readMap(reader, indent, depth);
}

function readList(reader: Reader, indent: number, depth: number): JsonValue[] {
  const items: JsonValue[] = [];
  for (let line = reader.lines[reader.at]; line && line.indent === indent; line = reader.lines[reader.at]) {
    if (!line.text.startsWith('- ')) break;
    const text = line.text.slice(2).trimStart();
    if (keyLine.test(text)) {
      // A map that begins on the line of its dash is one that is indented to where it begins.
      line.indent += line.text.length - text.length;
      line.text = text;
      items.push(readMap(reader, line.indent, depth + 1));
    } else {
      reader.at += 1;
      items.push(readInline(text, depth));
    }
  }
  return items;
}

function readMap(reader: Reader, indent: number, depth: number): JsonObject {
  if (depth > nestingLimit) throw new NotSimple();
  const map: JsonObject = {};
  for (let line = reader.lines[reader.at]; line && line.indent === indent; line = reader.lines[reader.at]) {
    const [, key, text = ''] = keyLine.exec(line.text) ?? [];
    if (key === undefined) throw new NotSimple();
    reader.at += 1;
    add(map, key, text === '' || text.startsWith('#') ? readBelow(reader, indent, depth) : readInline(text, depth));
  }
  return map;
}

/** What stands below a key without a value on its line; a list may be as far left as the key. */
function readBelow(reader: Reader, indent: number, depth: number): JsonValue {
  const next = reader.lines[reader.at];
  if (!next || next.indent < indent) return null;
  if (next.indent > indent) return readBlock(reader, next.indent, depth + 1);
  return next.text.startsWith('- ') ? readList(reader, indent, depth + 1) : null;
}

function add(map: JsonObject, key: string, value: JsonValue): void {
  if (Object.hasOwn(map, key) || key === '__proto__' || special.test(key)) throw new NotSimple();
  map[key] = value;
}

/** A value on one line. One that goes on below it leaves a line over that no block takes. */
function readInline(text: string, depth: number): JsonValue {
  if (/^["'[{]/.test(text)) {
    const cursor = { text, at: 0 };
    const value = readFlow(cursor, depth + 1);
    rest.lastIndex = cursor.at;
    if (!rest.test(text)) throw new NotSimple();
    return value;
  }
  const [plain = ''] = text.split(' #', 1);
  return resolve(plain.trimEnd());
}

type Cursor = { readonly text: string; at: number };

function take(cursor: Cursor, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = cursor.at;
  const match = pattern.exec(cursor.text);
  if (!match) return undefined;
  cursor.at += match[0].length;
  return match;
}

function readFlow(cursor: Cursor, depth: number): JsonValue {
  if (depth > nestingLimit) throw new NotSimple();
  switch (cursor.text[cursor.at]) {
    case '[': {
      const items: JsonValue[] = [];
      readMembers(cursor, ']', () => items.push(readFlow(cursor, depth + 1)));
      return items;
    }
    case '{': {
      const map: JsonObject = {};
      readMembers(cursor, '}', () => {
        const key = take(cursor, flowKey)?.[1];
        if (key === undefined) throw new NotSimple();
        add(map, key, readFlow(cursor, depth + 1));
      });
      return map;
    }
    case "'": {
      const quoted = take(cursor, singleQuoted)?.[1];
      if (quoted === undefined) throw new NotSimple();
      return quoted.replaceAll("''", "'");
    }
    case '"': {
      const quoted = take(cursor, doubleQuoted)?.[0];
      if (quoted === undefined) throw new NotSimple();
      const value: string = JSON.parse(quoted);
      return value;
    }
    default:
      return resolve(take(cursor, flowPlain)?.[0].trimEnd() ?? '');
  }
}

/** `[a, b]` or `{a: b}` from its bracket to the other; no comma after the last. */
function readMembers(cursor: Cursor, end: string, readMember: () => void): void {
  const skipSpaces = () => take(cursor, / */y);
  cursor.at += 1;
  skipSpaces();
  if (cursor.text[cursor.at] === end) {
    cursor.at += 1;
    return;
  }
  for (;;) {
    readMember();
    skipSpaces();
    const found = cursor.text[cursor.at];
    cursor.at += 1;
    if (found === end) return;
    if (found !== ',') throw new NotSimple();
    skipSpaces();
  }
}

function resolve(plain: string): JsonValue {
  if (!plainText.test(plain)) throw new NotSimple();
  if (integer.test(plain) || float.test(plain)) return Number(plain);
  if (!special.test(plain)) return plain;
  if (/^true$/i.test(plain)) return true;
  if (/^false$/i.test(plain)) return false;
  if (/^null$/i.test(plain)) return null;
  throw new NotSimple();
}
