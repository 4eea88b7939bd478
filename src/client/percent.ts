// Writes shares for people, in the same form on the command line, in the console and in the terminal UI.

/** "98.8 %". Only the whole is "100 %": a share just below it is "99.9 %". */
export function percentWords(share: number): string {
  const percent = share * 100;
  const shown = share < 1 ? Math.min(99.9, Math.round(percent * 10) / 10) : 100;
  return `${Number.isInteger(shown) ? shown : shown.toFixed(1)} %`;
}
