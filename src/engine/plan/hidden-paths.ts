// Finds the paths in arguments that the sandbox would not show to the job. It does not check whether the host has them,
// because the caller may not be allowed to know.

import { argumentFields } from '../../domain/argument-fields.ts';
import { kindOfPath } from '../run/failure/shown-path.ts';
import type { GroundedPlan } from './ground.ts';

type HiddenPath = { readonly arg: string; readonly path: string };

/** Finds the arguments with `format: path` that are full paths, and for which the job asks no permission. */
export function hiddenPaths(plan: GroundedPlan): HiddenPath[] {
  const { args, entry, isolation, wantedPaths } = plan;
  if (isolation.filesystem !== 'workspace') return [];
  return argumentFields(entry.definition.argspec).flatMap(({ path: names, format }) => {
    const [arg = ''] = names;
    const path = args[arg];
    if (format !== 'path' || names.length > 1 || typeof path !== 'string' || !path.startsWith('/')) return [];
    if (wantedPaths.some((wanted) => wanted.arg === arg) || kindOfPath(path, plan) !== 'hidden') return [];
    return [{ arg, path }];
  });
}
