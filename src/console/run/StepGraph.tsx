// The steps of a run as a graph. Each step is to the right of the steps that it needs.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { isKept, keptWords } from '../../client/shown-steps.ts';
import { Scrolls } from '../widgets/Notes.tsx';
import { type Run, statusLooks } from '../words.ts';
import { box, layOut, type Point } from './graph-layout.ts';

const longestName = 20;

export function StepGraph(o: {
  readonly run: Run;
  readonly chosen: string | null;
  readonly hrefOf: (id: string) => string;
}): ReactNode {
  // The graph shows a step with instances as one node; the list below shows the instances.
  const steps = o.run.steps.filter(({ instance_of: of }) => of === null);
  const chosen = o.run.steps.find(({ step_id: id }) => id === o.chosen);
  const chosenId = chosen?.instance_of ?? chosen?.step_id;
  const { places, edges, width, height } = layOut(steps);
  return (
    <Scrolls label="Step graph" className="graph">
      <svg width={width + 2} height={height + 2} viewBox={`-1 -1 ${width + 2} ${height + 2}`}>
        <title>Steps and their dependencies</title>
        {edges.map(({ key, points }) => (
          <path key={key} className="edge" d={pathThrough(points)} />
        ))}
        {steps.map((step) => {
          const { step_id: id, status } = step;
          const place = places.get(id) ?? { x: 0, y: 0 };
          const { glyph, word } = statusLooks[status];
          const isChosen = id === chosenId;
          return (
            <Link
              key={id}
              href={o.hrefOf(id)}
              aria-label={`${id}: ${word}${isKept(o.run, step) ? `, ${keptWords}` : ''}`}
              aria-current={isChosen ? 'true' : undefined}
            >
              <g
                transform={`translate(${place.x} ${place.y})`}
                className={`node node-${status}${isChosen ? ' chosen' : ''}`}
              >
                <rect width={box.width} height={box.height} rx="6" />
                <text x="12" y={box.height / 2 + 5}>
                  {glyph} {id.length > longestName ? `${id.slice(0, longestName - 1)}…` : id}
                </text>
              </g>
            </Link>
          );
        })}
      </svg>
    </Scrolls>
  );
}

/** A curve between columns, and a straight line through a column. */
function pathThrough([first, ...rest]: readonly Point[]): string {
  if (!first) return '';
  let from = first;
  const parts = rest.map((to, index) => {
    const bend = (to.x - from.x) / 2;
    const part =
      index % 2 === 0 ? `C${from.x + bend} ${from.y} ${to.x - bend} ${to.y} ${to.x} ${to.y}` : `L${to.x} ${to.y}`;
    from = to;
    return part;
  });
  return [`M${first.x} ${first.y}`, ...parts].join(' ');
}
