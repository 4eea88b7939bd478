// Which addresses flwd can send requests to.

/** A user and password are refused: `fetch` does not accept them, and a log could reveal them. */
export function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}
