// Writes shares for people, in the same form on the command line, in the console and in the terminal UI.

/** Returns, for example, "98.8 %". Only a share of exactly 1 is "100 %"; one just below it is "99.9 %". */
export function percentWords(share: number): string {
  const percent = share * 100;
  const shown = share < 1 ? Math.min(99.9, Math.round(percent * 10) / 10) : 100;
  return `${Number.isInteger(shown) ? shown : shown.toFixed(1)} %`;
}
