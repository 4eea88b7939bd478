// Wraps a text into lines, whose number must be known before they are drawn.

import stringWidth from 'string-width';
import { characters } from './characters.ts';
import { cleaned } from './cleaned.ts';

/**
 * Breaks between words if possible. The last of `mostLines` lines contains all remaining text, even if it is too long.
 */
export function wrapped(text: string, columns: number, mostLines: number): string[] {
  const lines: string[] = [];
  let rest = cleaned(text);
  while (lines.length < mostLines - 1 && stringWidth(rest) > columns) {
    const end = endOfLine(rest, columns);
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

function endOfLine(text: string, columns: number): number {
  let fits = 0;
  let width = 0;
  for (const character of characters(text)) {
    width += stringWidth(character);
    if (width > columns && fits > 0) break;
    fits += character.length;
  }
  const space = text.lastIndexOf(' ', fits);
  return space > 0 ? space : fits;
}
