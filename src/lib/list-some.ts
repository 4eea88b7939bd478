// Lists names in a sentence, and stays short however many there are.

const mostNamed = 5;

/** Lists the first five names, and says how many more there are. */
export function listSome(names: readonly string[]): string {
  const more = names.length - mostNamed;
  return [...names.slice(0, mostNamed), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}
