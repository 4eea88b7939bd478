// The artifacts of one run: taken once, all together, when no process of it is left. What one could still change might lead
// anywhere on the host by the time it is opened.

import { existsSync } from 'node:fs';
import type { RunPlan } from '../domain/run.ts';
import type { Namer } from '../exec/collect.ts';
import { isRunAlive } from '../exec/live-attempts.ts';
import type { Redactor } from '../exec/redact.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Store } from '../store/open.ts';
import { type ArtifactLimits, type Collected, collect } from './collect.ts';
import type { RunLog } from './run-log.ts';
import type { RunFacts } from './step-values.ts';

export type RunArtifacts = {
  /**
   * Of its attempts, in the order of their steps. None where the run has no workspace, because nothing of it was ever started.
   */
  readonly take: (attempts: readonly Namer[]) => Promise<Collected>;
};

const nothing: Collected = { artifacts: [], warnings: [], failure: null };
const unsafe: Collected = {
  ...nothing,
  failure: {
    reason: 'artifact_not_stored',
    message: 'a process of the run could not be ended: no artifact was taken',
    stepId: null,
  },
};

export function createRunArtifacts(o: {
  readonly run: RunFacts;
  readonly job: RunPlan['job'];
  readonly runDir: string;
  readonly workspaceDir: string;
  readonly redactor: Redactor;
  readonly runLog: RunLog;
  readonly store: Store;
  readonly limits: ArtifactLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly patiently: <T>(work: () => T | Promise<T>) => Promise<T>;
}): RunArtifacts {
  return {
    async take(attempts) {
      // A rerun has rows of attempts that were another run's.
      const namers = attempts.filter(({ attemptDir }) => existsSync(attemptDir));
      const finder = namers.at(-1);
      if (!finder || !existsSync(o.workspaceDir)) return nothing;
      const isLastUse = o.job.composition === 'single';
      const collected = await o.patiently(() =>
        isRunAlive(o.runDir) ? unsafe : collect({ ...o, namers, finder, isLastUse }),
      );
      for (const { text, namer } of collected.warnings) await o.runLog.note(namer ?? finder, 'warn', text);
      return collected;
    },
  };
}
