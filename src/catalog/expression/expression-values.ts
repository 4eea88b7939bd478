// Values of JSON as CEL knows them, and back. CEL has integers and doubles, JSON has numbers: one without a fraction is an
// integer. Maps, since the members of an object may have any name.

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { ExpressionError } from './expression-error.ts';

/** Of all values that one expression sees: with them, what it can build from them stays in memory. */
const textLimitChars = 256 * 1024;
const itemLimit = 20_000;
/** Of what it gives. */
const resultLimitChars = 1024 * 1024;

type CelValue = null | boolean | bigint | number | string | CelValue[] | Map<string, CelValue>;

/** @throws ExpressionError for values that are too large together. */
export function createToCel(): (value: JsonValue) => CelValue {
  let chars = 0;
  let items = 0;
  const count = (moreChars: number) => {
    chars += moreChars;
    items += 1;
    if (chars > textLimitChars) throw new ExpressionError('the values it uses have more than 256 KiB of text');
    if (items > itemLimit) throw new ExpressionError('the values it uses have more than 20,000 items');
  };
  return function toCel(value: JsonValue): CelValue {
    count(typeof value === 'string' ? value.length : 0);
    if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(toCel);
    const map = new Map<string, CelValue>();
    for (const [key, inner] of Object.entries(value)) {
      count(key.length);
      map.set(key, toCel(inner));
    }
    return map;
  };
}

/** @throws ExpressionError for what JSON has no value for. */
export function fromCel(value: unknown): JsonValue {
  let chars = 0;
  const count = (moreChars: number) => {
    chars += moreChars;
    if (chars > resultLimitChars) throw new ExpressionError('its value has more than 1 MiB');
  };
  return toJson(value);

  function toJson(inner: unknown): JsonValue {
    count(typeof inner === 'string' ? inner.length : 8);
    if (typeof inner === 'string' || typeof inner === 'boolean' || inner === null) return inner;
    if (typeof inner === 'bigint' || typeof inner === 'number') return toNumber(inner);
    if (Array.isArray(inner)) return inner.map(toJson);
    if (inner instanceof Map) return toObject(inner);
    if (typeof inner === 'object' && inner.constructor === Object) return toObject(Object.entries(inner));
    throw new ExpressionError('its value is none that JSON has');
  }

  function toObject(entries: Iterable<[unknown, unknown]>): JsonObject {
    return Object.fromEntries([...entries].map(([key, inner]) => [String(key), toJson(inner)]));
  }
}

function toNumber(value: bigint | number): number {
  const number = Number(value);
  const isExact = typeof value === 'bigint' ? Number.isSafeInteger(number) : Number.isFinite(number);
  if (!isExact) throw new ExpressionError(`the number ${value} is none that JSON can hold`);
  return number;
}
