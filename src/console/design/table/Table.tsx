// The table that all pages use. It may have any number of rows, but only the rows near the visible area are in the
// document. The page itself scrolls, and the head of the table stays below the page's header. Below 700 pixels, each
// row shows what `compact` returns. Each row has an element with `data-row`, which gets the focus and the clicks on the
// row (row-link.ts, shell/keys.ts).

import { defaultRangeExtractor, useWindowVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp } from 'lucide-react';
import { Fragment, memo, type ReactNode, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Checkbox } from '../controls/Checkbox.tsx';
import { narrowPx, useWidth } from '../width.ts';
import { rowLink } from './row-link.ts';
import styles from './Table.module.css';

export type Column<Row> = {
  readonly id: string;
  readonly head: string;
  /** The head is hidden, but screen readers read it. */
  readonly isHeadUnseen?: boolean;
  readonly cell: (row: Row) => ReactNode;
  /** A CSS width. Columns without a width share what is left. */
  readonly width?: string;
  /**
   * The content always fits, so the cells are not clipped. While the table scrolls, clipping would take a tenth of the
   * drawing time.
   */
  readonly isNeverCut?: boolean;
  /**
   * While the table scrolls too fast to be read, new rows draw only the columns with this mark, or all columns if no
   * column has the mark.
   */
  readonly isDrawnAtSpeed?: boolean;
  /** Right-aligned, with digits of equal width. */
  readonly isNumber?: boolean;
  /** The column is hidden if the window is narrower than this. */
  readonly leavesBelowPx?: number;
  /** A click on the head sorts by this value; null comes last. */
  readonly sortBy?: (row: Row) => string | number | null;
};

export type Sort = { readonly column: string; readonly isDescending: boolean };

type Props<Row> = {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  /** Returns what a row shows on phones. */
  readonly compact: (row: Row) => ReactNode;
  readonly sort?: Sort | null;
  readonly onSort?: (sort: Sort) => void;
  /** The keys of the selected rows. With `chosen` and `choose`, each row has a check box. */
  readonly chosen?: ReadonlySet<string>;
  readonly choose?: (keys: readonly string[], isChosen: boolean) => void;
  /** Names a row's check box. */
  readonly nameOf?: (row: Row) => string;
  /** The key of the row that the panel beside the table shows. */
  readonly currentKey?: string | null;
  /** The height of a row in rem. Two lines need 3.125. */
  readonly rowRem?: number;
  /** The height of a row on phones in rem. The default has room for two lines. */
  readonly compactRem?: number | undefined;
  /**
   * A row that comes into view reuses the elements of a row that left it, so that garbage collection does not interrupt
   * a fast scroll. Use this only if no cell has state that belongs to its row.
   */
  readonly reusesRows?: boolean;
  /** The CSS `top` of the sticky head, so that it stays below other sticky elements. */
  readonly headTop?: string;
};

const overscan = 6;
const compactRem = 3.25;
const boxWidth = '40px';
/** The width of columns that do not set one. */
const shared = 'minmax(0, 1fr)';

function widthOf<Row>({ width = shared }: Column<Row>): string {
  return width;
}

export function Table<Row extends object>(o: Props<Row>): ReactNode {
  const width = useWidth();
  const isNarrow = width < narrowPx;
  const rows = useSortedRows(o);
  const shown = useMemo(() => o.columns.filter(({ leavesBelowPx = 0 }) => width >= leavesBelowPx), [o.columns, width]);
  const frame = useRef<HTMLTableElement>(null);
  const rowPx = useRowPx(isNarrow ? (o.compactRem ?? compactRem) : o.rowRem);
  const virtual = useVirtualRows(frame, rows.length, rowPx);
  const items = virtual.getVirtualItems();
  const keys = items.flatMap(({ index }) => rows[index] ?? []).map(o.keyOf);
  const places = usePlaces(rows, keys);
  const isFast = useIsFast(virtual.isScrolling, virtual.scrollOffset ?? 0);
  const plain = usePlainRows(keys, isFast && !isNarrow && shown.some((column) => column.isDrawnAtSpeed));
  const top = virtual.options.scrollMargin;
  const hasBoxes = o.chosen !== undefined && o.choose !== undefined;
  const widths = isNarrow ? [shared] : [...(hasBoxes ? [boxWidth] : []), ...shown.map(widthOf)];
  const columns: Record<string, string> = { '--columns': widths.join(' ') };
  return (
    <table
      ref={frame}
      className={styles.table}
      aria-label={o.label}
      aria-rowcount={rows.length + 1}
      data-narrow={isNarrow || undefined}
      style={columns}
    >
      <thead className={isNarrow ? 'unseen' : styles.head} style={{ top: o.headTop }}>
        <Head o={o} shown={isNarrow ? [] : shown} hasBoxes={hasBoxes && !isNarrow} />
      </thead>
      <tbody>
        {items.map(({ index, start }, at) => {
          const row = rows[index];
          if (row === undefined) return null;
          const key = o.keyOf(row);
          return (
            <Fragment key={o.reusesRows ? places.get(key) : key}>
              <Gap px={start - (items[at - 1]?.end ?? top)} />
              <TableRow
                row={row}
                rowKey={key}
                index={index}
                name={hasBoxes ? (o.nameOf?.(row) ?? key) : key}
                isChosen={o.chosen?.has(key) ?? false}
                isCurrent={o.currentKey === key}
                isPlain={plain.has(key)}
                shown={shown}
                choose={hasBoxes ? o.choose : undefined}
                compact={isNarrow ? o.compact : null}
                heightPx={rowPx}
              />
            </Fragment>
          );
        })}
        <Gap px={top + virtual.getTotalSize() - (items.at(-1)?.end ?? top)} />
      </tbody>
    </table>
  );
}

type RowProps<Row> = {
  readonly row: Row;
  readonly rowKey: string;
  readonly index: number;
  readonly name: string;
  readonly isChosen: boolean;
  readonly isCurrent: boolean;
  /** Draws only the columns that are `isDrawnAtSpeed`. */
  readonly isPlain: boolean;
  readonly shown: readonly Column<Row>[];
  readonly choose: Props<Row>['choose'];
  /** null: the window is wide. */
  readonly compact: Props<Row>['compact'] | null;
  readonly heightPx: number;
};

/** Memoized, so that only the rows that come into view are drawn while the table scrolls. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the type of `memo` has no room for a parameter
const TableRow = memo(DrawnRow) as typeof DrawnRow;

function DrawnRow<Row>(o: RowProps<Row>): ReactNode {
  const { row, rowKey, isPlain, choose, compact } = o;
  return (
    <tr
      aria-rowindex={o.index + 2}
      data-index={o.index}
      data-chosen={o.isChosen || undefined}
      data-current={o.isCurrent || undefined}
      {...rowLink}
      style={{ height: o.heightPx }}
    >
      {choose && !compact && (
        <td data-never-cut>
          {!isPlain && (
            <Checkbox
              label={`Select ${o.name}`}
              isLabelUnseen
              checked={o.isChosen}
              onChange={(next) => choose([rowKey], next)}
            />
          )}
        </td>
      )}
      {compact ? (
        <td>{compact(row)}</td>
      ) : (
        o.shown.map((column) => (
          <td
            key={column.id}
            data-number={column.isNumber || undefined}
            data-never-cut={column.isNeverCut || undefined}
          >
            {(!isPlain || column.isDrawnAtSpeed) && column.cell(row)}
          </td>
        ))
      )}
    </tr>
  );
}

function useSortedRows<Row>({ rows, columns, sort }: Props<Row>): readonly Row[] {
  const { column, isDescending = false } = sort ?? {};
  const sortBy = columns.find(({ id }) => id === column)?.sortBy;
  // Memoized, because the table is drawn often while it scrolls.
  return useMemo(() => (sortBy ? sortedRows(rows, sortBy, isDescending) : rows), [rows, sortBy, isDescending]);
}

function sortedRows<Row>(
  rows: readonly Row[],
  sortBy: NonNullable<Column<Row>['sortBy']>,
  isDescending: boolean,
): readonly Row[] {
  return rows
    .map((row) => ({ row, by: sortBy(row) }))
    .toSorted(({ by: a }, { by: b }) => {
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      return isDescending ? compare(b, a) : compare(a, b);
    })
    .map(({ row }) => row);
}

const collator = new Intl.Collator('en', { numeric: true });

function compare(a: string | number, b: string | number): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
}

function Head<Row>({
  o,
  shown,
  hasBoxes,
}: {
  readonly o: Props<Row>;
  readonly shown: readonly Column<Row>[];
  readonly hasBoxes: boolean;
}): ReactNode {
  const chosenCount = o.chosen?.size ?? 0;
  return (
    <tr aria-rowindex={1}>
      {hasBoxes && (
        <th scope="col" data-never-cut>
          <Checkbox
            label="Select all"
            isLabelUnseen
            checked={chosenCount > 0 && chosenCount === o.rows.length}
            isMixed={chosenCount > 0 && chosenCount < o.rows.length}
            onChange={(isChosen) => o.choose?.(o.rows.map(o.keyOf), isChosen)}
          />
        </th>
      )}
      {shown.length === 0 && <th scope="col">{o.label}</th>}
      {shown.map((column) => {
        const isSorted = o.sort?.column === column.id;
        const isDescending = isSorted && (o.sort?.isDescending ?? false);
        const Arrow = isDescending ? ArrowDown : ArrowUp;
        const isSortable = o.onSort !== undefined && column.sortBy !== undefined;
        return (
          <th
            key={column.id}
            scope="col"
            data-number={column.isNumber || undefined}
            {...(isSorted && { 'aria-sort': isDescending ? 'descending' : 'ascending' })}
          >
            {isSortable ? (
              <button
                type="button"
                className={styles.sort}
                onClick={() => o.onSort?.({ column: column.id, isDescending: isSorted && !isDescending })}
              >
                {column.head}
                {isSorted && <Arrow size={12} strokeWidth={2.2} aria-hidden="true" />}
              </button>
            ) : (
              <span className={column.isHeadUnseen ? 'unseen' : undefined}>{column.head}</span>
            )}
          </th>
        );
      })}
    </tr>
  );
}

/** Takes the space of the rows that are not in the document. */
function Gap({ px }: { readonly px: number }): ReactNode {
  if (px <= 0) return null;
  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can have the focus
  return <tr aria-hidden="true" className={styles.gap} style={{ height: px }} />;
}

/**
 * Keeps two kinds of rows in the document: the rows near the visible area, and the focused row, because removing it
 * would lose the focus.
 */
function useVirtualRows(frame: { readonly current: HTMLTableElement | null }, count: number, rowPx: number) {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = (): void => {
      const at = frame.current?.tBodies[0]?.getBoundingClientRect().top;
      if (at !== undefined) setTop(at + scrollY);
    };
    measure();
    // Content above the table may change its height. A ResizeObserver is called when the layout is known. Without it,
    // an effect would have to measure, and the browser would compute the layout once more.
    const watch = new ResizeObserver(measure);
    watch.observe(document.body);
    return () => watch.disconnect();
  }, [frame]);
  return useWindowVirtualizer({
    count,
    estimateSize: () => rowPx,
    overscan,
    // New rows are drawn one frame later, which halves the longest task of a fast scroll. Until then, the rows of
    // `overscan` fill the space.
    useFlushSync: false,
    scrollMargin: top,
    rangeExtractor(range) {
      const shown = defaultRangeExtractor(range);
      const focused = document.activeElement?.closest('tr');
      const index = focused && frame.current?.contains(focused) ? Number(focused.dataset.index) : Number.NaN;
      if (Number.isNaN(index) || index >= count) return shown;
      return shown.includes(index) ? shown : [...shown, index].toSorted((a, b) => a - b);
    },
  });
}

/**
 * The place of each row among the elements in the document. A row that stays keeps its place. While the list scrolls,
 * rows that come into view take the places of the rows that left, so that few elements have to be moved. If the list
 * itself has changed, places are not reused, because the element of a removed row may have the focus.
 */
function usePlaces(rows: readonly unknown[], keys: readonly string[]): ReadonlyMap<string, number> {
  const drawn = useRef<{ rows: unknown; places: ReadonlyMap<string, number> }>({ rows, places: new Map() });
  const { places: before } = drawn.current;
  const now = new Set(keys);
  const left = drawn.current.rows === rows ? [...before].filter(([key]) => !now.has(key)).map(([, at]) => at) : [];
  const unused = Math.max(-1, ...before.values()) + 1;
  const places = new Map(keys.map((key, n) => [key, before.get(key) ?? left.shift() ?? unused + n]));
  useLayoutEffect(() => {
    drawn.current = { rows, places };
  });
  return places;
}

/** A table that scrolls by the height of the window in less time than this cannot be read. */
const readMs = 100;
/** A movement after a longer pause is a jump, and not a scroll. */
const pauseMs = 250;

/** Whether the table scrolls too fast to be read. */
function useIsFast(isScrolling: boolean, offsetPx: number): boolean {
  const last = useRef({ offsetPx, atMs: Number.NEGATIVE_INFINITY, isFast: false });
  const nowMs = performance.now();
  const movedPx = Math.abs(offsetPx - last.current.offsetPx);
  const isMoving = movedPx > 0;
  const sinceMs = nowMs - last.current.atMs;
  const isAsFast = isMoving ? sinceMs < pauseMs && movedPx / innerHeight > sinceMs / readMs : last.current.isFast;
  const isFast = isScrolling && isAsFast;
  useLayoutEffect(() => {
    last.current = { offsetPx, atMs: isMoving ? nowMs : last.current.atMs, isFast };
  });
  return isFast;
}

/** The keys of the rows that are drawn with fewer cells. A row that was drawn with all its cells keeps them. */
function usePlainRows(keys: readonly string[], isFast: boolean): ReadonlySet<string> {
  const whole = useRef<ReadonlySet<string>>(new Set());
  const plain = new Set(isFast ? keys.filter((key) => !whole.current.has(key)) : []);
  useLayoutEffect(() => {
    whole.current = new Set(keys.filter((key) => !plain.has(key)));
  });
  return plain;
}

function useRowPx(rem: number | undefined): number {
  return useMemo(() => {
    const style = getComputedStyle(document.documentElement);
    return (rem ?? Number.parseFloat(style.getPropertyValue('--row'))) * Number.parseFloat(style.fontSize);
  }, [rem]);
}
