// The address of the page that compares two runs. It is in a file of its own, so that links to the page do not load the
// code of the page.

export function comparePath(a: string, b: string): string {
  return `/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`;
}
