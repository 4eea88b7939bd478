// Converts JSON values to CEL values and back. CEL has integers and doubles where JSON has numbers: a number without a
// fraction becomes an integer. Objects become maps, because their members may have any name.

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { ExpressionError } from './expression-error.ts';

/**
 * The limits for all values of one expression together. The values stay in memory, and so does everything that the
 * expression builds from them.
 */
const textLimitChars = 256 * 1024;
const itemLimit = 20_000;
/** The limit for the result. */
const resultLimitChars = 1024 * 1024;

type CelValue = null | boolean | bigint | number | string | CelValue[] | Map<string, CelValue>;

/** @throws ExpressionError when the values together are too large */
export function createToCel(): (value: JsonValue) => CelValue {
  let chars = 0;
  let items = 0;
  const count = (moreChars: number) => {
    chars += moreChars;
    items += 1;
    if (chars > textLimitChars) throw new ExpressionError('the values it uses contain more than 256 KiB of text');
    if (items > itemLimit) throw new ExpressionError('the values it uses contain more than 20,000 items');
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

/** @throws ExpressionError for a value that JSON cannot represent */
export function fromCel(value: unknown): JsonValue {
  let chars = 0;
  const count = (moreChars: number) => {
    chars += moreChars;
    if (chars > resultLimitChars) throw new ExpressionError('its value is larger than 1 MiB');
  };
  return toJson(value);

  function toJson(inner: unknown): JsonValue {
    count(typeof inner === 'string' ? inner.length : 8);
    if (typeof inner === 'string' || typeof inner === 'boolean' || inner === null) return inner;
    if (typeof inner === 'bigint' || typeof inner === 'number') return toNumber(inner);
    if (Array.isArray(inner)) return inner.map(toJson);
    if (inner instanceof Map) return toObject(inner);
    if (typeof inner === 'object' && inner.constructor === Object) return toObject(Object.entries(inner));
    throw new ExpressionError('its value cannot be represented in JSON');
  }

  function toObject(entries: Iterable<[unknown, unknown]>): JsonObject {
    return Object.fromEntries([...entries].map(([key, inner]) => [String(key), toJson(inner)]));
  }
}

function toNumber(value: bigint | number): number {
  const number = Number(value);
  const isExact = typeof value === 'bigint' ? Number.isSafeInteger(number) : Number.isFinite(number);
  if (!isExact) throw new ExpressionError(`the number ${value} cannot be represented in JSON`);
  return number;
}
