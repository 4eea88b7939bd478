// What differs from the run whose arguments were taken over.

import { type ArgumentField, showValue } from '../../domain/argument-fields.ts';
import type { JsonObject } from '../../domain/job.ts';

export type Difference = {
  readonly name: string;
  /** null: the argument was not given (`was`), or is not given now (`is`). */
  readonly was: string | null;
  readonly is: string | null;
};

/**
 * Returns the differences by argument, in the order of the job. Secrets are left out, because their earlier values are
 * not known.
 */
export function differencesOf(
  fields: readonly ArgumentField[],
  before: JsonObject,
  now: JsonObject,
): readonly Difference[] {
  const secret = new Set(fields.filter(({ kind, itemKind }) => kind === 'secret' || itemKind === 'secret').map(topOf));
  const order = [...new Set([...fields.map(topOf), ...Object.keys(before), ...Object.keys(now)])];
  return order
    .filter((name) => !secret.has(name))
    .map((name) => ({ name, was: shown(before, name), is: shown(now, name) }))
    .filter(({ was, is }) => was !== is);
}

function topOf({ path }: ArgumentField): string {
  return path[0] ?? '';
}

function shown(args: JsonObject, name: string): string | null {
  return Object.hasOwn(args, name) ? showValue(args[name]) : null;
}
