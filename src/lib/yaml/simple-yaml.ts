// Reads a text with js-yaml. It is several times as fast as `yaml`, which saves seconds for 10,000 files. But js-yaml
// has no line numbers, and in some corners of YAML the two libraries disagree. If a text touches such a corner, or has
// an error, the result is undefined and the caller uses `yaml`. A property test compares the two libraries (ADR 0045).

import { load } from 'js-yaml';

const maxDepth = 32;
/**
 * The longest line that is read here. A longer line could contain a longer key, which `yaml` refuses, as the standard
 * says.
 */
const longestKey = 1024;
const quotedText = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'/;
const closingBracket = /[\]}]/;
/** May not follow a quoted text or a closing bracket: only a separator, the end of the line or a comment may. */
const wrongRest = /#| *[^\s,:\]}#]/;
const startOfWord = /^|[\s[{,]/;
const corners = [
  /[\t\u0085\u2028\u2029\ufeff]|\r(?!\n)/, // a tab, or an unusual line break
  /^ *(?:%|---|\.\.\.)/, // a directive, or a marker of a document
  /[|>]-?[\d+]/, // `|+`, `|2`
  inTurn(startOfWord, /[&!]|[?:](?:\s|$)/), // a word that begins with `&`, `!`, `? ` or `: `
  inTurn(startOfWord, quotedText, wrongRest),
  inTurn(closingBracket, wrongRest),
];
const corner = new RegExp(corners.map(({ source }) => source).join('|'), 'm');

/** Returns a pattern for the given patterns, one after the other. */
function inTurn(...patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => `(?:${source})`).join(''));
}

export type YamlValue = null | boolean | number | string | YamlValue[] | YamlMap;
export type YamlMap = { [key: string]: YamlValue };

export function readSimpleYaml(text: string): YamlMap | undefined {
  // The pattern takes long for a long line, so the length is checked first.
  if (hasLongLine(text) || corner.test(text)) return undefined;
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- without tags a text holds nothing else
    const value = load(text, { maxDepth, maxAliases: 0 }) as YamlValue;
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMap && isReadAlike(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function hasLongLine(text: string): boolean {
  return text.length > longestKey && text.split('\n').some((line) => line.length > longestKey);
}

/**
 * Whether `yaml` reads the same value as js-yaml. `yaml` reads the key `~` as `''` and not as `null`, and `1e400` as a
 * number.
 */
function isReadAlike(value: YamlValue): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value === 'string') return isTextAlike(value);
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isReadAlike);
  return Object.entries(value).every(
    ([key, member]) => key !== 'null' && key !== '__proto__' && isTextAlike(key) && isReadAlike(member),
  );
}

function isTextAlike(text: string): boolean {
  return !text.includes('\0') && Math.abs(Number(text)) !== Infinity;
}
