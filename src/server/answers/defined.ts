// Leaves out members that are undefined: an optional member is absent, never there without a value.

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

export function defined<T extends object>(members: T): Defined<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is filtered out is what Defined leaves out
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<T>;
}
