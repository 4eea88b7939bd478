// Runs as rows.

import { memo, type ReactNode, useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { tookFor } from '../client/took.ts';
import { Status, Time } from './Notes.tsx';
import { originWords, type RunRow, reasonWords, runPath } from './words.ts';

type Extra = (run: RunRow) => ReactNode;

type ListProps = {
  readonly rows: readonly RunRow[];
  readonly hasJob?: boolean;
  readonly chosen?: ReadonlySet<string>;
  readonly choose?: (runId: string, isChosen: boolean) => void;
  readonly extra?: Extra;
};

/** Of a long list, those that are near the window are drawn; the others keep their room. */
const chunkRows = 100;
const allDrawn = 300;
const nearPx = 2_000;
const likelyRowPx = 62;

export function RunList(o: ListProps): ReactNode {
  if (o.rows.length <= allDrawn) return <Rows {...o} label="Runs" />;
  const chunks = Array.from({ length: Math.ceil(o.rows.length / chunkRows) }, (_, index) =>
    o.rows.slice(index * chunkRows, (index + 1) * chunkRows),
  );
  return (
    <div className="chunks">
      {chunks.map((rows, index) => (
        <Chunk {...o} key={index} rows={rows} label={index === 0 ? 'Runs' : `Runs from ${index * chunkRows + 1}`} />
      ))}
    </div>
  );
}

function Chunk(o: ListProps & { readonly label: string }): ReactNode {
  const frame = useRef<HTMLDivElement>(null);
  const [isNear, setNear] = useState(false);
  const [height, setHeight] = useState<number | null>(null);
  useEffect(() => {
    const watched = frame.current;
    if (!watched) return undefined;
    const watch = new IntersectionObserver(
      (entries) => {
        const last = entries.at(-1);
        if (!last) return;
        if (!last.isIntersecting && watched.firstElementChild) setHeight(last.boundingClientRect.height);
        setNear(last.isIntersecting);
      },
      { rootMargin: `${nearPx}px` },
    );
    watch.observe(watched);
    return () => watch.disconnect();
  }, []);
  return (
    <div ref={frame} {...(!isNear && { style: { height: height ?? o.rows.length * likelyRowPx } })}>
      {isNear && <Rows {...o} />}
    </div>
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
  const why = run.waiting ?? (run.status === 'failed' ? reasonWords(run.reason) : '');
  return (
    <li>
      {o.choose && (
        <input
          type="checkbox"
          aria-label={`Choose ${run.run_id}`}
          checked={o.isChosen}
          onChange={(event) => o.choose?.(run.run_id, event.target.checked)}
        />
      )}
      <Status of={run.status} />
      <span className="what">
        <Link href={runPath(run.run_id)} data-row>
          {o.hasJob ? run.job_id : run.run_id}
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
