// JSON Schemas that carry the type of the values they accept. TypeBox does the same for the API. But it has 373 files,
// and loading them would make `flwd jobs` in a checkout take two thirds longer (ADR 0046).

declare const accepted: unique symbol;

export type Schema<T> = object & { readonly [accepted]?: T };
export type Static<S> = S extends { readonly [accepted]?: infer T } ? T : never;

type Keywords = Readonly<Record<string, unknown>>;
type Members = Readonly<Record<string, Schema<unknown>>>;

/** A schema as it is written, with the type that it accepts. */
export const schemaOf = <T>(keywords: Keywords): Schema<T> => keywords;
export const string = (keywords: Keywords = {}) => schemaOf<string>({ type: 'string', ...keywords });
export const number = (keywords: Keywords = {}) => schemaOf<number>({ type: 'number', ...keywords });
export const integer = (keywords: Keywords = {}) => schemaOf<number>({ type: 'integer', ...keywords });
export const boolean = schemaOf<boolean>({ type: 'boolean' });
export const oneOf = <const V extends readonly string[]>(...values: V) => schemaOf<V[number]>({ enum: values });
export const list = <T>(items: Schema<T>, keywords: Keywords = {}) =>
  schemaOf<readonly T[]>({ type: 'array', items, ...keywords });

type MapOf<R, O> = { readonly [K in keyof R]: Static<R[K]> } & { readonly [K in keyof O]?: Static<O[K]> };

/** A map with exactly these members. */
export function map<R extends Members, O extends Members>(
  required: R,
  optional: O,
  keywords: Keywords = {},
): Schema<MapOf<R, O>> & { readonly properties: R & O } {
  const properties = { ...required, ...optional };
  const fixed = { type: 'object', properties, required: Object.keys(required), additionalProperties: false };
  return { ...fixed, ...keywords };
}
