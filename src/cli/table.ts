// Rows as lines of aligned columns, for people.

export function toTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

export function toMinute(timestamp: string | null): string {
  return timestamp === null ? 'never' : timestamp.replace(/:\d\d\.\d+Z$/, 'Z');
}
