// Removes from an error message what differs between two occurrences of the same failure, such as times and ids (ADR
// 0071).

const mostChars = 2_000;

/** The rules are applied in this order. A rule does not see text that an earlier rule has replaced. */
const rules: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?/g, '<time>'],
  [/\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?\b/g, '<time>'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>'],
  [/\b[a-z]+_[0-9A-HJKMNP-TV-Z]{26}\b/g, '<id>'],
  [/\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b/g, '<address>'],
  [/\[?\b(?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4})?\]?(?::\d+)?/gi, '<address>'],
  [/(["'`])(?=[^"'`]{0,200}\d)[^"'`]{1,200}\1/g, '<text>'],
  [/\/(?:var\/)?tmp\/[^\s:'")]+/g, '<file>'],
  [/\b0x[0-9a-f]+\b/gi, '<number>'],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b/gi, '<id>'],
  // Replaces every number, except the number of a code, a status or a signal. Such a number tells failures apart.
  [/(?<!\b(?:code|status|signal|errno|HTTP)[ =:]{1,2}\d{0,2})\d+(?:[.,]\d+)*/gi, '<number>'],
  [/\s+/g, ' '],
];

export function withoutDetails(message: string): string {
  let text = message.slice(0, mostChars);
  for (const [pattern, replacement] of rules) text = text.replace(pattern, replacement);
  return text.trim();
}
