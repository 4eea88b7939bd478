// Short forms of what is too long to show.

/** The first seven characters of a commit or checksum; other revisions are shown whole. */
export function revisionWords(revision: string): string {
  return /^(?:[a-z0-9]+:)?([0-9a-f]{7})[0-9a-f]{5,}$/.exec(revision)?.[1] ?? revision;
}

/** `run_01M8…S953VJJ0`: both ends of an id tell it from others. */
export function idWords(id: string): string {
  return id.length <= 20 ? id : `${id.slice(0, 8)}…${id.slice(-8)}`;
}

const mostValue = 28;

export function shortWords(text: string): string {
  return text.length > mostValue ? `${text.slice(0, mostValue - 1)}…` : text;
}
