// Removes all control sequences except colours from the text of jobs and other people, so that a terminal can show it
// safely.

const esc = '\u001B';
const colours = new RegExp(`${esc}\\[[\\d;:]*m`, 'g');

/** @param isColoured keeps the sequences that set colours and weight (SGR) */
export function forTerminal(text: string, isColoured: boolean): string {
  let shown = '';
  let from = 0;
  for (const found of text.matchAll(colours)) {
    shown += withoutControls(text.slice(from, found.index)) + (isColoured ? found[0] : '');
    from = found.index + found[0].length;
  }
  const hasColour = isColoured && from > 0;
  return shown + withoutControls(text.slice(from)) + (hasColour ? `${esc}[0m` : '');
}

function withoutControls(text: string): string {
  // At the end, a carriage return belongs to a Windows line ending. Within a line it overwrites what came before.
  const last = text.replace(/\r$/, '').split('\r').at(-1) ?? '';
  return last.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (found) => (found === '\t' ? found : '\uFFFD'));
}
