// Opens flwd.yaml as parts that know their line and column. A plain file is read with js-yaml. Its lines and columns
// are found with `yaml` only when they are needed: for an error, or for `flwd config show` (ADR 0045).

import type { Node } from 'yaml';
import { readSimpleYaml, type YamlMap, type YamlValue } from '../lib/yaml/simple-yaml.ts';
import { yaml } from '../lib/yaml/yaml.ts';
import { findTooDeep, tooDeep } from '../lib/yaml/yaml-nesting.ts';
import { placesIn, type YamlPath } from '../lib/yaml/yaml-places.ts';
import { documentWords, ownErrors } from '../lib/yaml/yaml-words.ts';
import type { Origin } from './settings.ts';

export type AddError = (origin: Origin, message: string) => void;

/**
 * An item or a member is null if it is an alias that has no anchor. Items and members may be getters, because an anchor
 * can contain itself.
 */
export type Part = { readonly origin: Origin } & (
  | { readonly type: 'scalar'; readonly value: unknown }
  | { readonly type: 'list'; readonly items: readonly (Part | null)[] }
  | {
      readonly type: 'map';
      readonly members: readonly { readonly name: string; readonly origin: Origin; readonly value: Part | null }[];
    }
);

/** undefined if the file is empty or not valid YAML. */
export function openDocument(text: string, file: string, addError: AddError): Part | undefined {
  const plain = readSimpleYaml(text);
  return plain === undefined ? openAny(text, file, addError) : openPlain(plain, text, file);
}

function openPlain(contents: YamlMap, text: string, file: string): Part {
  let find: ((path: YamlPath, isKey: boolean) => { line: number; col: number }) | undefined;

  function originOf(path: YamlPath, isKey = false): Origin {
    const place = () => {
      find ??= placesIn(text);
      return find(path, isKey);
    };
    return {
      kind: 'file',
      file,
      get line() {
        return place().line;
      },
      get column() {
        return place().col;
      },
    };
  }

  function partOf(value: YamlValue, path: YamlPath): Part {
    const origin = originOf(path);
    if (typeof value !== 'object' || value === null) return { type: 'scalar', value, origin };
    if (Array.isArray(value))
      return { type: 'list', items: value.map((item, at) => partOf(item, [...path, at])), origin };
    const members = Object.entries(value).map(([name, member]) => {
      const at = [...path, name];
      return { name, origin: originOf(at, true), value: partOf(member, at) };
    });
    return { type: 'map', members, origin };
  }
  return partOf(contents, []);
}

/** Opens a file with any YAML, including aliases. */
function openAny(text: string, file: string, addError: AddError): Part | undefined {
  const deepAt = findTooDeep(text);
  if (deepAt !== undefined) {
    const linesBefore = text.slice(0, deepAt).split('\n');
    const column = (linesBefore.at(-1)?.length ?? 0) + 1;
    addError({ kind: 'file', file, line: linesBefore.length, column }, `the file ${tooDeep}`);
    return undefined;
  }
  const { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } = yaml();
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
  function partOf(given: unknown): Part | null {
    const node = resolved(given);
    if (!node) return null;
    const origin = originOf(node);
    if (isSeq(node)) {
      return {
        type: 'list',
        get items() {
          return node.items.map(partOf);
        },
        origin,
      };
    }
    if (!isMap(node)) return { type: 'scalar', value: isScalar(node) ? node.value : undefined, origin };
    return {
      type: 'map',
      get members() {
        return node.items.map(({ key, value }) => {
          const name = resolved(key);
          return {
            name: isScalar(name) ? String(name.value) : '?',
            origin: originOf(name),
            value: partOf(value),
          };
        });
      },
      origin,
    };
  }

  for (const error of ownErrors([...document.errors, ...document.warnings]))
    addError(originAt(error.pos[0]), documentWords(error, document, lines));
  const { contents, errors } = document;
  return errors.length === 0 && contents ? (partOf(contents) ?? undefined) : undefined;
}
