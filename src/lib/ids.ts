// Identifiers that sort by creation: a prefix and a ULID in upper case (https://github.com/ulid/spec).

import { monotonicFactory } from 'ulid';

const nextUlid = monotonicFactory();

export function createId(prefix: 'run' | 'artifact' | 'req', nowMs: number): string {
  return `${prefix}_${nextUlid(nowMs)}`;
}

/** Spreads files over 1,024 folders by the id's random part; a ULID's last characters are its most random. */
export function shardOf(id: string): string {
  return id.slice(-2);
}
