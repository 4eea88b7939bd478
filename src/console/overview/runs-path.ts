// The address of the page "Runs" with a filter.

export function runsPath(query: string): string {
  return `/runs?q=${encodeURIComponent(query)}`;
}

/** `since` is inclusive, `until` is not. */
export function betweenPath(fromMs: number, toMs: number): string {
  return runsPath(`since:${new Date(fromMs).toISOString()} until:${new Date(toMs).toISOString()}`);
}
