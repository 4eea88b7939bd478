// A list of runs, one row each.

import { memo, type ReactNode } from 'react';
import { Link } from 'wouter';
import { tookFor } from '../../client/took.ts';
import { Chunked } from '../widgets/Chunked.tsx';
import { Status, Time } from '../widgets/Notes.tsx';
import { harmless, originWords, type RunRow, reasonWords, runPath } from '../words.ts';

type Extra = (run: RunRow) => ReactNode;

type ListProps = {
  readonly rows: readonly RunRow[];
  readonly hasJob?: boolean;
  readonly chosen?: ReadonlySet<string>;
  readonly choose?: (runId: string, isChosen: boolean) => void;
  readonly extra?: Extra;
};

const likelyRowPx = 62;

export function RunList(o: ListProps): ReactNode {
  return (
    <Chunked rows={o.rows} label="Runs" likelyRowPx={likelyRowPx}>
      {(rows, label) => <Rows {...o} rows={rows} label={label} />}
    </Chunked>
  );
}

function Rows(o: ListProps & { readonly label: string }): ReactNode {
  return (
    <ul className="rows runs" aria-label={o.label}>
      {o.rows.map((run) => (
        <Row
          key={run.run_id}
          run={run}
          hasJob={o.hasJob ?? false}
          isChosen={o.chosen?.has(run.run_id) ?? false}
          choose={o.choose}
          extra={o.extra}
        />
      ))}
    </ul>
  );
}

const Row = memo(function Row(o: {
  readonly run: RunRow;
  readonly hasJob: boolean;
  readonly isChosen: boolean;
  readonly choose: ((runId: string, isChosen: boolean) => void) | undefined;
  readonly extra: Extra | undefined;
}): ReactNode {
  const { run } = o;
  const isOver = run.finished_at !== null;
  const why = run.waiting ?? (run.status === 'failed' ? (run.error?.message ?? reasonWords(run.reason)) : '');
  return (
    <li>
      {o.choose && (
        <input
          type="checkbox"
          aria-label={`Select ${run.run_id}`}
          checked={o.isChosen}
          onChange={(event) => o.choose?.(run.run_id, event.target.checked)}
        />
      )}
      <Status of={run.status} />
      <span className="what">
        <Link href={runPath(run.run_id)} data-row>
          {o.hasJob ? harmless(run.job_id) : run.run_id}
        </Link>
        <span className="quiet ellipsis">
          {o.hasJob && <code>{run.run_id}</code>} {why}
        </span>
      </span>
      <span className="when quiet">
        <Time at={run.created_at} />
        <span>
          {isOver ? tookFor(run.started_at, run.finished_at, 0) : run.progress && `${run.progress.percent} %`}
        </span>
        <span className="wide-only">{originWords(run)}</span>
        {o.extra?.(run)}
      </span>
    </li>
  );
});
