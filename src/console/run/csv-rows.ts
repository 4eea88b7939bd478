// The rows of a text of comma-separated values: cells in quotes may hold commas, line breaks, and quotes that stand twice.

/** A cell, and what ends it. */
const cells = /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n|\n|\r|$)/y;

/** The first ones; none where it is not of that form. */
export function csvRows(text: string, most: number): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  cells.lastIndex = 0;
  while (rows.length < most) {
    // An end of a line ends no row that has not begun.
    if (cells.lastIndex === text.length && row.length === 0) break;
    const found = cells.exec(text);
    if (!found) return [];
    const [, quoted, plain = '', end] = found;
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    rows.push(row);
    row = [];
    if (end === '') break;
  }
  return rows;
}
