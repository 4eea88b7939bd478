// Reads literals in Python and JavaScript calls, as far as this is possible without running the code.

type Scalar = string | number | boolean | null;
/** undefined means that the expression is not a literal. */
export type Literal = Scalar | readonly Scalar[] | undefined;

/**
 * Returns the text between an opening bracket and its closing one. Brackets in strings do not count. Returns undefined
 * if the bracket is not closed.
 */
export function bracketed(text: string, from: number): string | undefined {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const character = text[at] ?? '';
    if (/["'`]/.test(character)) at = endOfText(text, at);
    else if (/[([{]/.test(character)) depth += 1;
    else if (/[)\]}]/.test(character)) {
      depth -= 1;
      if (depth === 0) return text.slice(from + 1, at);
    }
  }
  return undefined;
}

function endOfText(text: string, from: number): number {
  const quote = text[from] ?? '';
  const whole = text.startsWith(quote.repeat(3), from) ? quote.repeat(3) : quote;
  for (let at = from + whole.length; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text.startsWith(whole, at)) return at + whole.length - 1;
  }
  return text.length;
}

/** Splits at commas outside of brackets and strings. */
export function splitItems(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (/["'`]/.test(character)) at = endOfText(text, at);
    else if (/[([{]/.test(character)) depth += 1;
    else if (/[)\]}]/.test(character)) depth -= 1;
    else if (character === ',' && depth === 0) {
      items.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  items.push(text.slice(from).trim());
  return items.filter((item) => item !== '');
}

/** As in Python, `"a" "b"` is one text. */
export function readLiteral(written: string): Literal {
  const text = written.trim();
  const list = /^[[(]([\s\S]*)[\])]$/.exec(text)?.[1];
  const joined = list === undefined ? undefined : readText(list);
  if (joined !== undefined && text.startsWith('(') && !list?.includes(',')) return joined;
  if (list !== undefined) {
    const items = splitItems(list).map(readScalar);
    return items.some((item) => item === undefined) ? undefined : items.filter((item) => item !== undefined);
  }
  return readScalar(text);
}

function readScalar(text: string): Scalar | undefined {
  if (/^-?(?:0|[1-9][\d_]*)(?:\.\d+)?$/.test(text)) return Number(text.replaceAll('_', ''));
  if (/^[Tt]rue$/.test(text)) return true;
  if (/^[Ff]alse$/.test(text)) return false;
  if (/^(?:None|null|undefined)$/.test(text)) return null;
  return readText(text);
}

function readText(text: string): string | undefined {
  let read = '';
  for (let rest = text.trim(); rest !== ''; rest = rest.trimStart()) {
    const [whole, , quoted] = /^("""|'''|["'`])([\s\S]*?)(?<!\\)\1/.exec(rest) ?? [];
    if (whole === undefined || quoted === undefined || (whole.startsWith('`') && quoted.includes('${')))
      return undefined;
    read += quoted.replaceAll(/\\(.)/g, (_, escaped: string) =>
      escaped === 'n' ? '\n' : escaped === 't' ? '\t' : escaped,
    );
    rest = rest.slice(whole.length);
  }
  return text.trim() === '' ? undefined : read;
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Finds the modules that Python code imports: `import sys, requests as http`, `from .words import greet`. */
export function pythonModules(code: string): { readonly name: string; readonly line: number }[] {
  const statements = code.matchAll(
    /(?:^|[;:])[ \t]*(?:from[ \t]+\.?([\w.]+)[ \t]+import\b|import[ \t]+([\w., \t]+))/gm,
  );
  let [line, counted] = [1, 0];
  return [...statements].flatMap(({ 1: from, 2: several = '', index }) => {
    line += code.slice(counted, index).split('\n').length - 1;
    counted = index;
    return (from ?? several).split(',').map((one) => ({ name: /[\w.]+/.exec(one)?.[0] ?? '', line }));
  });
}
