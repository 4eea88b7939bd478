// The steps of a run: over time, or as a graph. A chosen step is in the URL, and its log is shown.

import { type ReactNode, useState } from 'react';
import { useKept } from '../../browser.ts';
import { Segmented } from '../../design/controls/Segmented.tsx';
import { Card } from '../../design/text/Card.tsx';
import { narrowPx, useWidth } from '../../design/width.ts';
import type { LogPlace, RunPlace } from '../../log/run-place.ts';
import { onDemand } from '../../shell/on-demand.tsx';
import type { Run } from '../../words.ts';
import { graphOf } from '../run-graph.ts';
import type { RunTimes } from '../run-times.ts';
import { StepRows, Ticks } from './StepRows.tsx';
import styles from './StepsCard.module.css';
import type { Folds } from './step-rows.ts';
import { stepCountWords } from './step-words.ts';
import { cutWords } from './time-axis.ts';

const StepGraph = onDemand('the graph', async () => (await import('../../graph/StepGraph.tsx')).StepGraph);

/** A longer list collapses the steps that need no attention. On phones every list does. */
const mostRows = 14;

export function StepsCard({
  run,
  times,
  at,
  nowMs,
}: {
  readonly run: Run;
  readonly times: RunTimes;
  readonly at: RunPlace;
  readonly nowMs: number;
}): ReactNode {
  const [isGraph, setGraph] = useKept('flwd.graph', false);
  const [folds, setFolds] = useState<Folds>(new Map());
  const isNarrow = useWidth() < narrowPx;
  const { bars, axis } = times;
  const own = run.steps.filter(({ instance_of: of }) => of === null);
  if (own.length < 2 && own[0]?.kind === 'command') return null;
  const { place } = at;
  const hrefOf = (step: string): string => at.hrefOf(placeOfStep(place, step));
  return (
    <Card
      title="Steps"
      count={stepCountWords(run.steps)}
      isFlush
      end={
        <>
          {!isNarrow && !isGraph && <span className={styles.legend}>{cutWords(axis)}</span>}
          <Segmented
            label="View of the steps"
            size="small"
            value={isGraph ? 'graph' : 'timeline'}
            onChange={(view) => setGraph(view === 'graph')}
            choices={[
              { value: 'timeline', label: 'Timeline' },
              { value: 'graph', label: 'Graph' },
            ]}
          />
        </>
      }
    >
      {isGraph ? (
        <StepGraph steps={graphOf(run, { nowMs, hrefOf })} chosen={place.step} />
      ) : (
        <div className={styles.timeline}>
          {!isNarrow && <Ticks axis={axis} />}
          <StepRows
            run={run}
            bars={bars}
            axis={axis}
            nowMs={nowMs}
            chosen={place.step}
            hrefOf={hrefOf}
            folds={folds}
            fold={(key, isOpen) => setFolds((now) => new Map(now).set(key, isOpen))}
            isTight={isNarrow || own.length > mostRows}
            depth={0}
          />
        </div>
      )}
    </Card>
  );
}

function placeOfStep(place: LogPlace, step: string): LogPlace {
  return { ...place, step, attempt: null, line: null };
}
