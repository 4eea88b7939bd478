// Text that jobs and other people wrote, on its way to a terminal: their colours may stay, nothing else that a terminal obeys.

const esc = '\u001B';
const colours = new RegExp(`${esc}\\[[\\d;:]*m`, 'g');

/** @param isColoured keeps the sequences that set colours and weights (SGR) */
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
  // A carriage return at the end is Windows'; one within a line paints over it, and what came last is what was meant.
  const last = text.replace(/\r$/, '').split('\r').at(-1) ?? '';
  return last.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (found) => (found === '\t' ? found : '\uFFFD'));
}
