// Decides which rows of a long list are drawn: those around the selected one.

export type Range = { readonly start: number; readonly end: number };

export function windowAround(count: number, chosen: number, rows: number): Range {
  const start = Math.max(0, Math.min(chosen - Math.floor(rows / 2), count - rows));
  return { start, end: Math.min(count, start + Math.max(0, rows)) };
}

/** Returns the row that a key selects; null if the key does not move in a list. */
export function moved(chosen: number, key: string, count: number, rows: number): number | null {
  const to = (index: number): number => Math.max(0, Math.min(count - 1, index));
  switch (key) {
    case 'up':
    case 'k':
      return to(chosen - 1);
    case 'down':
    case 'j':
      return to(chosen + 1);
    case 'pageup':
      return to(chosen - rows);
    case 'pagedown':
      return to(chosen + rows);
    case 'home':
    case 'g':
      return to(0);
    case 'end':
    case 'G':
      return to(count - 1);
    default:
      return null;
  }
}
