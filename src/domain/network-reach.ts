// What a job can do with the network, in words for the person who decides whether it gets it.

import type { Network, SecurityProfile } from './job.ts';

export const reachOfNetwork =
  'the internet, the networks of this machine, and everything that listens on the machine itself, also on 127.0.0.1: ' +
  'databases without a password, development servers, abstract UNIX sockets';

/**
 * null: the run has no network.
 * @param trustsJobs whether the API takes jobs with the network for the operator
 */
export function networkReach(network: Network, profile: SecurityProfile, trustsJobs: boolean): string | null {
  if (network === 'none') return null;
  if (profile === 'disabled' || trustsJobs) return `${reachOfNetwork}; flwd’s own API takes the job for the operator`;
  return `${reachOfNetwork}; flwd’s own API asks it for a token, other flwd servers of the same user may not`;
}
