// Warns about paths that a job's permissions name, but that flwd never grants in the job's profile. The job is valid,
// because an instance with another profile may show the paths.

import type { JobDefinition, JobError } from '../../domain/job.ts';
import { holdsOwnOfSandbox, isShownToAll } from '../../domain/policy.ts';
import { placeOf } from './config-place.ts';

/** @param dir the job's folder */
export function permissionWarnings({ permissions, securityProfile }: JobDefinition, dir: string): JobError[] {
  const profile = securityProfile ?? 'secure';
  return (['read', 'write'] as const).flatMap((kind) =>
    permissions[kind].flatMap((path, at) => {
      if (typeof path !== 'string' || !holdsOwnOfSandbox(path) || isShownToAll(profile, kind, path)) return [];
      const why = `a run in the profile \`${profile}\` is refused`;
      const message = `\`${path}\` cannot be granted as a whole, so ${why}: name the folders in it`;
      return [{ ...placeOf(dir, ['permissions', kind, at]), message }];
    }),
  );
}
