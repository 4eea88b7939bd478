// What an attempt is started with, whichever executor starts it.

import type { CommandAction, JobDefinition, JsonObject, Network, SecurityProfile } from '../domain/job.ts';

export type AttemptSpec = {
  readonly runId: string;
  readonly jobId: string;
  readonly stepId: string;
  readonly tenant: string;
  readonly attempt: number;
  /** This attempt's alone, made anew: spool, status, sandbox, verdict, in/, out/. */
  readonly attemptDir: string;
  /** The run's: beside its attempts, kept from one to the next. */
  readonly workspaceDir: string;
  readonly snapshotDir: string;
  readonly job: JobDefinition;
  readonly action: Pick<CommandAction, 'command' | 'ulcProfile'>;
  /** The step's own part of the environment: FLWD_MATRIX_…, FLWD_ITEM, FLWD_STEP_…. */
  readonly variables: Readonly<Record<string, string>>;
  /** Without the secret ones. */
  readonly args: JsonObject;
  readonly secrets: ReadonlyMap<string, string>;
  readonly profile: SecurityProfile;
  /** False: it is started on the host as it is, which the profile `disabled` alone may be. */
  readonly isSandboxed: boolean;
  readonly network: Network;
  /** Host paths, resolved, links and all. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly masked: readonly string[];
  /** Variables of the server that the profile hands on. */
  readonly passthrough: readonly string[];
};
