// Plans the part of a run that does not depend on its arguments: the job's profile, paths, user and limits, and the
// stored secrets of its environment. If that is not possible, says why in words.

import { isObject } from '../../catalog/arguments/subschemas.ts';
import type { CatalogEntry } from '../../catalog/catalog.ts';
import type { Problem } from '../../domain/problem.ts';
import { type GroundedPlan, resolveEntry } from '../plan/ground.ts';
import type { TriggerParts } from './trigger-parts.ts';

const noArguments = { type: 'object', properties: {} };

/** @throws Problem validation-error when a path that the job asks for does not exist */
export function planWithoutArguments(
  { definition, ...entry }: CatalogEntry,
  { planContext, defaultTenant }: Pick<TriggerParts, 'planContext' | 'defaultTenant'>,
): Promise<GroundedPlan> {
  const env = Object.entries(definition.env).filter(
    ([, value]) => typeof value === 'string' || !definition.secretArgs.includes(value.secret),
  );
  const job = {
    ...definition,
    argspec: noArguments,
    secretArgs: [],
    env: Object.fromEntries(env),
    steps: [],
    concurrency: null,
    // A trigger sends no notification.
    notify: [],
  };
  return resolveEntry({ ...entry, definition: job }, { job_id: definition.id, tenant: defaultTenant }, planContext);
}

/** Returns the problem's message without the pointer into the request, because nobody has sent a request. */
export function reasonOf({ message, members: { errors } }: Problem): string {
  const [first]: readonly unknown[] = Array.isArray(errors) ? errors : [];
  return isObject(first) && typeof first.message === 'string' ? first.message : message;
}
