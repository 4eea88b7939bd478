// Limits how deep JSON may be nested. JSON.parse accepts any depth, but JSON.stringify and other recursive code fails
// at about 3,000 levels. So text from outside is checked before it is parsed.

export const mostNesting = 64;

export function isTooDeep(json: string): boolean {
  // Each level needs two characters.
  if (json.length <= 2 * mostNesting) return false;
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (isInString) {
      if (code === backslash) at++;
      else if (code === quote) isInString = false;
    } else if (code === quote) isInString = true;
    else if (code === openBracket || code === openBrace) {
      depth += 1;
      if (depth > mostNesting) return true;
    } else if (code === closeBracket || code === closeBrace) depth -= 1;
  }
  return false;
}

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
