// Checks what a job with network access can reach on this host, and whether the server can tell the job from its own
// user.

import { type HostCheck, ok, warn } from '../../domain/host-check.ts';
import { reachOfNetwork } from '../../domain/network-reach.ts';
import { isServerRoot } from '../job-user.ts';
import { ancestryOf } from '../proc/socket-holders.ts';

export type CallerChoice = { readonly mode: 'auto' | 'none' | 'required'; readonly trustJobs: boolean };

/** Whether the API treats jobs with network access as the operator. */
export function trustsJobs({ mode, trustJobs }: CallerChoice): boolean {
  return mode === 'none' || (mode === 'auto' && trustJobs && !isServerRoot);
}

export function checkNetwork(choice: CallerChoice): HostCheck {
  const name = 'network of jobs';
  const reach = `a job with network access reaches ${reachOfNetwork}`;
  if (trustsJobs(choice)) {
    const setting = choice.mode === 'none' ? 'auth.mode: none' : 'auth.trust_jobs: true';
    return warn(
      name,
      `${reach}; with ${setting} the API treats it as the operator`,
      `remove ${setting} from flwd.yaml`,
    );
  }
  const canSee = isServerRoot || choice.mode !== 'auto' || ancestryOf(process.pid) !== undefined;
  if (canSee) return ok(name, `${reach}; the API asks it for a token`);
  return warn(
    name,
    `${reach}; /proc hides the processes of other users, so while such a job runs everyone needs a token`,
    'send a token, mount /proc without hidepid, or set auth.trust_jobs: true if every job may do what the operator may',
  );
}
