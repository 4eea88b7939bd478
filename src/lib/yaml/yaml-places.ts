// Finds the lines and columns of values in a YAML text.

import { yaml } from './yaml.ts';

export type YamlPath = readonly (string | number)[];

/**
 * Returns a function that finds a value, or its key, in a valid YAML text without aliases. Lines and columns count
 * from 1.
 */
export function placesIn(text: string): (path: YamlPath, isKey: boolean) => { line: number; col: number } {
  const { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } = yaml();
  const lines = new LineCounter();
  const { contents } = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  return (path, isKey) => {
    let key: unknown;
    let node: unknown = contents;
    for (const step of path) {
      const pair = isMap(node)
        ? node.items.find((one) => isScalar(one.key) && String(one.key.value) === step)
        : undefined;
      key = pair?.key;
      node = isSeq(node) ? node.items[Number(step)] : pair?.value;
    }
    const found = isKey ? key : node;
    return lines.linePos(isNode(found) ? (found.range?.[0] ?? 0) : 0);
  };
}
