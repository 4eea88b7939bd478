// Takes the artifacts of a run, all at once, when no process of the run is left. Before that, a process could still
// change a path, so that the server would open something else on the host.

import { existsSync } from 'node:fs';
import { type LeftBehind, leftBehindWords } from '../../domain/outcome/left-behind.ts';
import type { RunPlan } from '../../domain/run.ts';
import { createStepFinder, type LastChange, lastToEnd } from '../../exec/collect/changed-by.ts';
import { artifactsFolder, type Namer } from '../../exec/collect/collect.ts';
import { findLeftFiles, joinLeftFiles } from '../../exec/collect/left-behind.ts';
import { type BytePath, withoutControls } from '../../exec/collect/sandbox-paths.ts';
import { readTmpLeft } from '../../exec/collect/tmp-left.ts';
import type { Executor } from '../../exec/executor.ts';
import type { Redactor } from '../../exec/redact/redact.ts';
import { type Collected, collect, type RunFiles } from './collect.ts';
import type { RunLog } from './run-log.ts';

export const noArtifacts: Collected = { artifacts: [], warnings: [], places: new Set(), failure: null };
const unsafe: Collected = {
  ...noArtifacts,
  failure: {
    reason: 'artifact_not_stored',
    message: 'no artifacts were stored, because a process of the run could not be ended',
    stepId: null,
  },
};

export function createRunArtifacts(
  o: RunFiles & {
    readonly plan: Pick<RunPlan, 'job' | 'profile' | 'network' | 'write'>;
    readonly runDir: string;
    readonly runLog: RunLog;
    readonly executor: Pick<Executor, 'isRunAlive'>;
    readonly withRetry: <T>(work: () => T | Promise<T>) => Promise<T>;
  },
) {
  /** What `take` has found. null if nothing was started, or while a process is still left. */
  let taken: {
    readonly places: ReadonlySet<BytePath>;
    readonly namers: readonly Namer[];
    readonly stepOf: (change: LastChange) => string | null;
  } | null = null;

  return {
    /**
     * `steps` are in order, each with all its attempts. The last attempt of each step names the files. Returns no
     * artifacts when the run never started an attempt, or has no workspace.
     */
    async take(steps: readonly (readonly Namer[])[]): Promise<Collected> {
      // The rows of a rerun include attempts of the earlier run, which have no folder here.
      const namers = steps.flatMap((attempts) => attempts.slice(-1)).filter(({ attemptDir }) => existsSync(attemptDir));
      const last = namers.at(-1);
      if (!last || !existsSync(o.workspaceDir)) return noArtifacts;
      const isSingle = o.plan.job.composition === 'single';
      const mayLink = isSingle && !canMeetOthers(o.plan);
      const stepOf = isSingle ? () => last.stepId : createStepFinder(steps.flat());
      const collected = await o.withRetry(() =>
        o.executor.isRunAlive(o.runDir) ? unsafe : collect({ ...o, job: o.plan.job, namers, stepOf, mayLink }),
      );
      for (const { text, namer } of collected.warnings) await o.runLog.note(namer ?? last, text);
      if (collected !== unsafe) taken = { places: collected.places, namers, stepOf };
      return collected;
    },
    /**
     * Finds the files that will be lost, because nothing keeps them. The log names these files, too. Call it after
     * `take`.
     */
    async leftBehind(): Promise<LeftBehind | null> {
      if (!taken) return null;
      const { places, namers, stepOf } = taken;
      const last = lastToEnd(namers);
      const makers = new Set<string | null>();
      const inTmp = ({ stepId, attemptDir }: Namer): LeftBehind[] => {
        const found = readTmpLeft(attemptDir);
        if (found === null) return [];
        makers.add(stepId);
        return [found];
      };
      const isKept = (path: BytePath): boolean => path === artifactsFolder || places.has(path);
      const left = await findLeftFiles({
        dir: o.workspaceDir,
        shownBelow: '',
        isKept,
        onFound: (stats) => makers.add(stepOf(stats)),
      }).then(
        (found) => joinLeftFiles([found, ...namers.flatMap(inTmp)]),
        (error: unknown) => {
          o.log.warn({ err: error, run_id: o.run.run_id }, 'the files that a run left behind could not be counted');
          return null;
        },
      );
      if (!left || !last) return null;
      const shown = { ...left, names: left.names.map((name) => toShownName(name, o.redactor)) };
      // A line of the log has one step. For the files of several steps, it is the one that ended last.
      const maker = makers.size === 1 ? namers.find(({ stepId }) => makers.has(stepId)) : undefined;
      await o.runLog.note(maker ?? last, leftBehindWords(shown));
      return shown;
    },
  };
}

const longestNameChars = 255;

/** Redacts the name before it replaces characters, because a secret may contain characters that are replaced. */
function toShownName(name: string, redactor: Redactor): string {
  const shown = withoutControls(redactor.text(name)).toWellFormed();
  return shown.length <= longestNameChars ? shown : `${shown.slice(0, longestNameChars - 1).toWellFormed()}…`;
}

/**
 * Whether the run can hand a file that is open for writing to another run. It can with a network or a shared folder.
 */
function canMeetOthers({ profile, network, write }: Pick<RunPlan, 'profile' | 'network' | 'write'>): boolean {
  return profile !== 'secure' || network !== 'none' || write.length > 0;
}
