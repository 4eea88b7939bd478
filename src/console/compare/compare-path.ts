// The address of the page that compares two runs. Pages that link to it need not load it.

export function comparePath(a: string, b: string): string {
  return `/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`;
}
