// The executor that starts attempts as processes of this host.

import type { Capabilities, Executor } from '../executor.ts';
import { findUser } from '../host/host-users.ts';
import { defaultMemoryBytes, type LimitHost, reportOf } from '../host/limit-host.ts';
import { isolationOf, isSandboxed } from '../sandbox/sandbox.ts';
import type { ForkServer } from './fork-server.ts';
import { launch } from './launch.ts';
import { isRunAlive } from './live-attempts.ts';
import { resumeAttempt } from './resume-attempt.ts';

export function createProcExecutor(o: {
  /** Determined when the server starts. */
  readonly capabilities: Capabilities;
  readonly limitHost: LimitHost;
  readonly forkServer: Pick<ForkServer, 'run'>;
}): Executor {
  const { capabilities, limitHost, forkServer } = o;
  return {
    report(profile) {
      const sandboxed = isSandboxed(profile);
      return {
        ...capabilities[profile],
        isSandboxed: sandboxed,
        limits: reportOf(limitHost, sandboxed),
        defaultMemoryBytes: defaultMemoryBytes(limitHost),
      };
    },
    isolation: (profile, network, runAs) => isolationOf(profile, network, isSandboxed(profile), runAs),
    findUser,
    launch: (spec) => launch({ ...spec, limits: { resources: spec.resources, host: limitHost } }, forkServer),
    resume: resumeAttempt,
    isRunAlive,
  };
}
