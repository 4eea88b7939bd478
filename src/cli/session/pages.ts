// Reads all pages of a list from the API.

type Page = { readonly next_cursor: string | null };

export async function everyPage<P extends Page>(
  read: (from: { readonly cursor?: string }) => Promise<P>,
): Promise<[P, ...P[]]> {
  const first = await read({});
  const pages: [P, ...P[]] = [first];
  for (let cursor = first.next_cursor; cursor !== null; ) {
    const page = await read({ cursor });
    pages.push(page);
    cursor = page.next_cursor;
  }
  return pages;
}
