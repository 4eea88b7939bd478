// Says what a job can do with network access. This is for the person who decides whether the job gets it.

import type { Network, SecurityProfile } from './job.ts';

export const reachOfNetwork =
  'the internet, the networks of this machine, and everything that listens on the machine itself, also on 127.0.0.1: ' +
  'databases without a password, development servers, abstract UNIX sockets';

/**
 * Returns null if the run has no network access.
 * @param trustsJobs whether a job with network access may act as the operator in the API
 */
export function networkReach(network: Network, profile: SecurityProfile, trustsJobs: boolean): string | null {
  if (network === 'none') return null;
  if (profile === 'disabled' || trustsJobs) return `${reachOfNetwork}; flwd’s own API treats the job as the operator`;
  return `${reachOfNetwork}; flwd’s own API asks it for a token, but other flwd servers of the same user may let it in without one`;
}
