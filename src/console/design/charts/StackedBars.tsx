// A bar of runs for each hour or day: successful, cancelled and running ones above the line, failed ones below it.
// Failures have their own scale, so that a few of them can be seen beside many successes.

import { type ScaleLinear, type ScaleTime, scaleLinear, scaleTime } from 'd3-scale';
import { type PointerEvent, type ReactNode, useState } from 'react';
import { countWords, dayWords, spanTimes, timeWords } from '../../words.ts';
import { useBoxWidth } from './box-width.ts';
import styles from './Charts.module.css';

export type Bucket = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly success: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly running: number;
};

/** The legend of the failures, which have a scale of their own: "failed, below the line, up to 4 an hour". */
export function failedWords(buckets: readonly Pick<Bucket, 'failed'>[], span: 'hour' | 'day'): string {
  const most = Math.max(0, ...buckets.map(({ failed }) => failed));
  return most === 0 ? 'failed, below the line' : `failed, below the line, up to ${countWords(most)} ${aSpan[span]}`;
}

const aSpan = { hour: 'an hour', day: 'a day' } as const;

type Props = {
  readonly label: string;
  readonly buckets: readonly Bucket[];
  readonly heightPx?: number;
  readonly nowMs: number;
  /** All runs in the chart have failed, so they are drawn above the line. */
  readonly isOnlyFailed?: boolean;
  /** Called with the times of the bar that was clicked, or of all bars across which the pointer was dragged. */
  readonly onChoose?: (fromMs: number, toMs: number) => void;
};

const above = ['success', 'cancelled', 'running'] as const;
const onlyFailed = ['failed'] as const;
const axisPx = 44;
const labelsPx = 20;
const belowShare = 0.16;
const topPx = 4;
/**
 * The scale of failures reaches at least to this count, so that a single failure does not fill the part below the line.
 */
const leastFailed = 3;
const leastShare = 0.1;

export function StackedBars(o: Props): ReactNode {
  const [box, width] = useBoxWidth<HTMLDivElement>();
  const { heightPx = 170 } = o;
  return (
    <div ref={box} className={styles.chart} style={{ height: heightPx }}>
      {width > 0 && o.buckets.length > 0 && <Drawn {...o} width={width} heightPx={heightPx} />}
    </div>
  );
}

type Sized = Props & { readonly width: number; readonly heightPx: number };

function layOut({ buckets, width, heightPx, isOnlyFailed = false }: Sized) {
  const plotWidth = width - axisPx;
  const bottom = heightPx - labelsPx;
  const stacked = isOnlyFailed ? onlyFailed : above;
  const hasBelow = !isOnlyFailed && buckets.some(({ failed }) => failed > 0);
  const below = hasBelow ? Math.max(10, (bottom - topPx) * belowShare) : 0;
  const zero = bottom - below;
  const most = Math.max(1, ...buckets.map((one) => stacked.reduce((sum, status) => sum + one[status], 0)));
  const mostFailed = Math.max(leastFailed, most * leastShare, ...buckets.map(({ failed }) => failed));
  const step = plotWidth / buckets.length;
  return {
    plotWidth,
    bottom,
    zero,
    below,
    stacked,
    step,
    barWidth: Math.max(1, step - Math.min(4, step * 0.2)),
    y: scaleLinear([0, most], [zero, topPx]).nice(3),
    failedPx: scaleLinear([0, mostFailed], [0, below - 2]),
    x: scaleTime([buckets[0]?.fromMs ?? 0, buckets.at(-1)?.toMs ?? 1], [0, plotWidth]),
  };
}

type Layout = ReturnType<typeof layOut>;

function Drawn(o: Sized): ReactNode {
  const { buckets } = o;
  const [pointed, setPointed] = useState<{ readonly at: number; readonly from: number | null } | null>(null);
  const layout = layOut(o);
  const { step, bottom } = layout;
  const indexAt = (event: PointerEvent<SVGSVGElement>): number => {
    const left = event.currentTarget.getBoundingClientRect().left;
    return Math.max(0, Math.min(buckets.length - 1, Math.floor((event.clientX - left) / step)));
  };
  const choose = (): void => {
    if (!pointed) return;
    const ends = [pointed.from ?? pointed.at, pointed.at];
    const [from, to] = [buckets[Math.min(...ends)], buckets[Math.max(...ends)]];
    if (from && to) o.onChoose?.(from.fromMs, to.toMs);
    setPointed({ at: pointed.at, from: null });
  };
  const shown = pointed && buckets[pointed.at];
  const hairX = ((pointed?.at ?? 0) + 0.5) * step;
  return (
    <>
      <svg
        width={o.width}
        height={o.heightPx}
        role="img"
        aria-label={o.label}
        data-actions={o.onChoose !== undefined || undefined}
        onPointerMove={(event) => setPointed({ at: indexAt(event), from: pointed?.from ?? null })}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setPointed({ at: indexAt(event), from: indexAt(event) });
        }}
        onPointerUp={choose}
        onPointerLeave={() => setPointed(null)}
      >
        <Axes layout={layout} heightPx={o.heightPx} />
        {pointed && pointed.from !== null && pointed.from !== pointed.at && (
          <rect
            className={styles.range}
            x={Math.min(pointed.from, pointed.at) * step}
            width={(Math.abs(pointed.from - pointed.at) + 1) * step}
            y={topPx}
            height={bottom - topPx}
          />
        )}
        {buckets.map((bucket, index) => (
          <Column key={bucket.fromMs} bucket={bucket} index={index} layout={layout} isPartial={bucket.toMs > o.nowMs} />
        ))}
        {pointed && <line className={styles.hair} x1={hairX} x2={hairX} y1={topPx} y2={bottom} />}
      </svg>
      {shown && <Tip bucket={shown} leftPx={hairX} isAtEnd={hairX > layout.plotWidth / 2} />}
    </>
  );
}

function Axes({ layout, heightPx }: { readonly layout: Layout; readonly heightPx: number }): ReactNode {
  const { x, y, plotWidth } = layout;
  return (
    <>
      {countTicks(y).map((tick) => (
        <g key={tick} className={styles.grid}>
          <line x1="0" x2={plotWidth} y1={y(tick)} y2={y(tick)} data-zero={tick === 0 || undefined} />
          <text x={plotWidth + 6} y={y(tick) + 4}>
            {countWords(tick)}
          </text>
        </g>
      ))}
      {timeTicks(x, plotWidth).map(({ atMs, px, text }) => (
        <text key={atMs} className={styles.label} x={px} y={heightPx - 5}>
          {text}
        </text>
      ))}
    </>
  );
}

/** Counts are whole numbers, so ticks between them are left out. */
function countTicks(y: ScaleLinear<number, number>): readonly number[] {
  return y.ticks(3).filter(Number.isInteger);
}

const tickPx = 110;
const tickEdgePx = 18;

/**
 * The ticks of the time axis: hours, or days if it is longer than three days. Labels that would be cut at an end are
 * left out.
 */
function timeTicks(x: ScaleTime<number, number>, width: number) {
  const [from, to] = x.domain();
  const isLong = from && to && to.getTime() - from.getTime() > 3 * 86_400_000;
  return x
    .ticks(Math.max(2, Math.floor(width / tickPx)))
    .map((at) => ({ atMs: at.getTime(), px: x(at), text: isLong ? dayWords(at) : timeWords(at) }))
    .filter(({ px }) => px >= tickEdgePx && px <= width - tickEdgePx);
}

function Column({
  bucket,
  index,
  layout,
  isPartial,
}: {
  readonly bucket: Bucket;
  readonly index: number;
  readonly layout: Layout;
  readonly isPartial: boolean;
}): ReactNode {
  const { barWidth, below, stacked, step, y, zero } = layout;
  const x = index * step + (step - barWidth) / 2;
  const failedPx = bucket.failed === 0 || below === 0 ? 0 : Math.max(2, layout.failedPx(bucket.failed));
  let sum = 0;
  return (
    <g data-partial={isPartial || undefined}>
      {stacked.map((status) => {
        const count = bucket[status];
        if (count === 0) return null;
        const bottom = y(sum);
        sum += count;
        const height = Math.max(1, bottom - y(sum) - 1);
        return (
          <rect
            key={status}
            className={styles.block}
            data-status={status}
            x={x}
            y={bottom - height}
            width={barWidth}
            height={height}
            rx={Math.min(2, barWidth / 4)}
          />
        );
      })}
      {failedPx > 0 && (
        <rect
          className={styles.block}
          data-status="failed"
          x={x}
          y={zero + 2}
          width={barWidth}
          height={failedPx}
          rx={Math.min(2, failedPx / 2)}
        />
      )}
    </g>
  );
}

function Tip({
  bucket,
  leftPx,
  isAtEnd,
}: {
  readonly bucket: Bucket;
  readonly leftPx: number;
  readonly isAtEnd: boolean;
}): ReactNode {
  return (
    <div className={styles.tip} data-end={isAtEnd || undefined} style={{ left: leftPx }} aria-hidden="true">
      <strong>{spanTimes(bucket.fromMs, bucket.toMs)}</strong>
      {([...above, 'failed'] as const).map((status) =>
        bucket[status] === 0 ? null : (
          <span key={status}>
            <i data-status={status} /> {countWords(bucket[status])} {status}
          </span>
        ),
      )}
      {above.every((status) => bucket[status] === 0) && bucket.failed === 0 && <span>no runs</span>}
    </div>
  );
}
