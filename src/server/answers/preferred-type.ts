// Chooses the media type on offer that the caller prefers (RFC 9110, 12.5.1). If the caller accepts no type on offer,
// chooses the first.

export function preferredType<const T extends string>(accept: string | undefined, offers: readonly [T, ...T[]]): T {
  const ranges = (accept ?? '*/*').split(',').map((range, order) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    return { type, order, weight: weight === undefined ? 1 : Number(weight) };
  });
  ranges.sort((a, b) => b.weight - a.weight || a.order - b.order);
  for (const { type, weight } of ranges) {
    if (!(weight > 0)) continue;
    const match = offers.find((offer) => matches(type, offer));
    if (match) return match;
  }
  return offers[0];
}

function matches(range: string, offer: string): boolean {
  return range === offer || range === '*/*' || (range.endsWith('/*') && offer.startsWith(range.slice(0, -1)));
}
