// Limits where there is no cgroup: util-linux's prlimit, inside the sandbox, so that the count of processes is that of the job's own
// user namespace (ADR 0010).

import { findProgram } from '../host/host-programs.ts';
import type { AttemptLimits } from './attempt-groups.ts';

/** The namespace's first process, which is bwrap's. */
const sandboxPids = 1;

/** What comes before the job's command; nothing where no rlimit is needed. */
export function rlimitWords(limits: AttemptLimits | null, isSandboxed: boolean): string[] {
  if (!limits) return [];
  const { resources, host } = limits;
  const options = [
    ...(host.memory.by === 'rlimit' && resources.memoryBytes !== null ? [`--as=${resources.memoryBytes}`] : []),
    // Without a user namespace of its own it would count every process of the user.
    ...(isSandboxed && host.pids.by === 'rlimit' && resources.pids !== null
      ? [`--nproc=${resources.pids + sandboxPids}`]
      : []),
  ];
  return options.length === 0 ? [] : [findProgram('prlimit') ?? 'prlimit', ...options, '--'];
}
