// The errors of a log: blocks of consecutive lines. The reader moves from error to error.

import { useState } from 'react';
import { type ErrorBlock, findErrors, type LogFilter } from '../../client/log-pages.ts';
import { useAnswer } from '../session/answers.tsx';
import { countWords } from '../words.ts';

export type LogErrors = {
  /** The error that the reader has moved to; null: the reader has not moved to an error. */
  readonly block: ErrorBlock | null;
  readonly words: string;
  readonly count: number;
  readonly turn: (by: 1 | -1) => void;
};

const liveMs = 10_000;

/** @param isAtFirst whether the log opens at the first error */
export function useLogErrors(
  runId: string,
  { stepId, attempt = null }: Pick<LogFilter, 'stepId' | 'attempt'>,
  o: { readonly isLive: boolean; readonly isAtFirst: boolean },
): LogErrors {
  const place = `${runId} ${stepId} ${attempt}`;
  const answer = useAnswer(
    ['log-errors', place, o.isLive],
    (client, signal) => findErrors({ client, runId, filter: { level: 'error', stepId, attempt }, signal }),
    { refetchInterval: o.isLive ? liveMs : false, staleTime: o.isLive ? 0 : Number.POSITIVE_INFINITY },
  );
  const [at, setAt] = useState({ place, index: o.isAtFirst ? 0 : null });
  if (at.place !== place) setAt({ place, index: o.isAtFirst ? 0 : null });
  const { blocks = [], isCut = false } = answer.data ?? {};
  const count = `${countWords(blocks.length)}${isCut ? '+' : ''}`;
  const block = (at.index === null ? undefined : blocks[at.index]) ?? null;
  return {
    block,
    words:
      (block
        ? `Error ${countWords((at.index ?? 0) + 1)} of ${count}`
        : `${count} error${blocks.length === 1 ? '' : 's'}`) +
      linesOf(block ?? (blocks.length === 1 ? blocks[0] : null)),
    count: blocks.length,
    turn: (by) => setAt({ place, index: turned(at.index, by, blocks.length) }),
  };
}

/** The lines of an error, so that two red lines do not read as two errors. */
function linesOf(block: ErrorBlock | null | undefined): string {
  const lines = block ? block.last - block.first + 1 : 1;
  return lines === 1 ? '' : ` (${countWords(lines)} lines)`;
}

function turned(index: number | null, by: 1 | -1, count: number): number {
  if (index === null) return by === 1 ? 0 : count - 1;
  return (index + by + count) % Math.max(1, count);
}
