// Short forms of values that are too long to show.

/** Shortens an id to its two ends, which are enough to recognise it: `run_01M8…S953VJJ0`. */
export function idWords(id: string): string {
  return id.length <= 20 ? id : `${id.slice(0, 8)}…${id.slice(-8)}`;
}

/** If two lists have different lengths, shows only their lengths. */
export function shortLists(was: string, is: string): { readonly was: string; readonly is: string } {
  const [before, after] = [listOf(was), listOf(is)];
  if (!before || !after) return { was, is };
  if (before.length !== after.length) return { was: String(before.length), is: String(after.length) };
  return { was: before.join(', '), is: after.join(', ') };
}

/** Writes a list with commas, as people read it. Returns any other value as it is. */
export function valueWords(text: string): string {
  return listOf(text)?.join(', ') ?? text;
}

/** Reads a list from its JSON, such as `["web1","web2"]`; undefined: the text is not a list. */
function listOf(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))) : undefined;
  } catch {
    return undefined;
  }
}

const mostValue = 28;

export function shortWords(text: string): string {
  return text.length > mostValue ? `${text.slice(0, mostValue - 1)}…` : text;
}
