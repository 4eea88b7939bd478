// The instances of a step as cells. The focus enters the grid at the chosen cell, or else at a failed cell, and the
// arrow keys move it to the other cells. So hundreds of cells are a single tab stop.

import type { KeyboardEvent, ReactNode } from 'react';
import { Link } from 'wouter';
import type { StepStatus } from '../../domain/run.ts';
import { StatusIcon } from '../design/text/Status.tsx';
import styles from './InstanceGrid.module.css';
import type { Grid } from './instance-grid.ts';

export type GraphCell = {
  readonly id: string;
  readonly status: StepStatus;
  /** The text in the cell, if the grid is small enough to show texts. */
  readonly text: string;
  /** The full text, for the tooltip and for screen readers. */
  readonly words: string;
  readonly href: string;
};

const mostWithText = 24;

/** Whether there are too many cells to show more than their icons. */
function isCompact({ rows }: Grid<GraphCell>): boolean {
  return (
    rows.reduce((sum, { cells }) => sum + cells.length, 0) > mostWithText || rows.some(({ cells }) => cells.length > 5)
  );
}

/** The height of the row with the names of the columns. Above narrow columns, the names are written downwards. */
export function headHeight(grid: Grid<GraphCell>): number {
  if (grid.columns.length === 0) return 0;
  const longest = Math.max(...grid.columns.map((column) => column.length));
  return isCompact(grid) ? Math.min(72, Math.max(23, 10 + longest * 6.3)) : 27;
}

export function cellSize(grid: Grid<GraphCell>): { readonly width: number; readonly height: number } {
  return isCompact(grid) ? { width: 23, height: 23 } : { width: 64, height: 27 };
}

export function InstanceGrid({
  of,
  grid,
  chosen,
}: {
  readonly of: string;
  readonly grid: Grid<GraphCell>;
  readonly chosen: string | null;
}): ReactNode {
  const { corner, columns, rows } = grid;
  const cells = rows.flatMap(({ cells: ofRow }) => ofRow.filter((cell) => cell !== null));
  const entry = cells.find(({ id }) => id === chosen) ?? cells.find(({ status }) => status === 'failed') ?? cells[0];
  const hasNames = rows.some(({ name }) => name !== '');
  const compact = isCompact(grid);
  return (
    <table aria-label={`Instances of ${of}`} className={styles.grid} data-compact={compact || undefined}>
      {columns.length > 0 && (
        <thead>
          <tr>
            <th scope="col">{corner}</th>
            {columns.map((column) => (
              <th key={column} scope="col" title={column}>
                <span>{column}</span>
              </th>
            ))}
          </tr>
        </thead>
      )}
      <tbody>
        {rows.map(({ name, cells: ofRow }, row) => (
          <tr key={`${name} ${row}`}>
            {hasNames && (
              <th scope="row" title={name}>
                <span>{name}</span>
              </th>
            )}
            {ofRow.map((cell, column) => (
              <td key={cell?.id ?? column}>
                {cell && (
                  <Link
                    href={cell.href}
                    replace
                    title={cell.words}
                    aria-current={cell.id === chosen ? 'true' : undefined}
                    tabIndex={cell === entry ? 0 : -1}
                    className={styles.cell}
                    data-state={cell.status}
                    onKeyDown={moveFocus}
                  >
                    <span className="unseen">{cell.words}</span>
                    <span className={styles.seen} aria-hidden="true">
                      <StatusIcon of={cell.status} size={compact ? 14 : 12} />
                      {!compact && <span>{cell.text}</span>}
                    </span>
                  </Link>
                )}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const directions: Readonly<Record<string, readonly [row: number, column: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

function moveFocus(event: KeyboardEvent<HTMLAnchorElement>): void {
  const direction = directions[event.key];
  const from = event.currentTarget.closest('td');
  const row = from?.closest('tr');
  const body = row?.closest('tbody');
  if (!direction || !from || !row || !body) return;
  event.preventDefault();
  event.stopPropagation();
  const column = [...row.querySelectorAll('td')].indexOf(from) + direction[1];
  const target = [...body.rows].indexOf(row) + direction[0];
  body.rows[target]?.querySelectorAll('td')[column]?.querySelector('a')?.focus();
}
