/** The first seven characters of a commit or checksum; other revisions are shown whole. */
export function revisionWords(revision: string): string {
  return /^(?:[a-z0-9]+:)?([0-9a-f]{7})[0-9a-f]{5,}$/.exec(revision)?.[1] ?? revision;
}
