// Everything needed to start an attempt, with any executor.

import type { CommandAction } from '../domain/command-action.ts';
import type { JobDefinition, JsonObject, Network, SecurityProfile } from '../domain/job.ts';
import type { RunAs } from '../domain/run.ts';
import type { TraceTexts } from '../domain/trigger/trace.ts';

export type AttemptSpec = {
  readonly runId: string;
  readonly jobId: string;
  readonly stepId: string;
  readonly tenant: string;
  readonly attempt: number;
  /**
   * The folder of this attempt alone, which is created for it. It contains spool, status, sandbox, verdict, in/ and
   * out/.
   */
  readonly attemptDir: string;
  /** The folder that all attempts of the run share. It is next to their own folders. */
  readonly workspaceDir: string;
  readonly snapshotDir: string;
  readonly job: JobDefinition;
  readonly action: Pick<CommandAction, 'command' | 'ulcProfile'>;
  /** Variables that only this step gets: FLWD_MATRIX_…, FLWD_ITEM, FLWD_STEP_…, FLWD_SCHEDULED_AT. */
  readonly variables: Readonly<Record<string, string>>;
  /** The trace headers that the script can pass on to the services that it calls. */
  readonly trace: TraceTexts;
  /** The arguments of the run, except secret ones. */
  readonly args: JsonObject;
  readonly secrets: ReadonlyMap<string, string>;
  readonly profile: SecurityProfile;
  /** If false, the attempt starts directly on the host. Only the profile `disabled` allows this. */
  readonly isSandboxed: boolean;
  /** null if the job runs as the usual user of its profile. */
  readonly runAs: RunAs | null;
  readonly network: Network;
  /** The granted paths on the host, with all links followed. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly masked: readonly string[];
  /** Variables of the server that the profile passes on. */
  readonly passthrough: readonly string[];
};
