// The artifacts of one run over its steps: a file is taken once, by the step that names it, or at the run's end.

import { existsSync } from 'node:fs';
import type { RunPlan } from '../domain/run.ts';
import type { ArtifactPlaces } from '../exec/collect.ts';
import type { Redactor } from '../exec/redact.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Store } from '../store/open.ts';
import { type ArtifactLimits, type Collected, collect } from './collect.ts';
import type { RunLog } from './run-log.ts';
import type { RunFacts } from './step-values.ts';

export type RunArtifacts = {
  /** What an earlier process has taken is not taken again. */
  readonly takeUp: () => Promise<void>;
  /** None where the run has no workspace, because nothing of it was ever started. */
  readonly take: (
    places: ArtifactPlaces,
    at: { readonly stepId: string; readonly attempt: number; readonly attemptDir: string },
  ) => Promise<Collected>;
};

/** As many as one step's end may take. */
const mostTaken = 10_000;
const nothing: Collected = { artifacts: [], warnings: [], failure: null };

export function createRunArtifacts(o: {
  readonly run: RunFacts;
  readonly job: RunPlan['job'];
  readonly workspaceDir: string;
  readonly redactor: Redactor;
  readonly runLog: RunLog;
  readonly store: Store;
  readonly limits: ArtifactLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly patiently: <T>(work: () => T | Promise<T>) => Promise<T>;
}): RunArtifacts {
  const taken = new Set<string>();
  return {
    async takeUp() {
      const { artifacts } = await o.store.artifacts.list({ runId: o.run.run_id, limit: mostTaken });
      for (const { path } of artifacts) taken.add(path);
    },
    async take(places, { stepId, attempt, attemptDir }) {
      if (!existsSync(o.workspaceDir)) return nothing;
      const collected = await o.patiently(() => collect({ ...o, places, stepId, attemptDir, taken }));
      for (const { path } of collected.artifacts) taken.add(path);
      for (const warning of collected.warnings) await o.runLog.note({ stepId, attempt }, 'warn', warning);
      return collected;
    },
  };
}
