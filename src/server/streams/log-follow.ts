// Follows the log of a run: first the stored lines, then new lines, then the end. Each stream reads at its own pace, so
// a slow reader delays nobody, and no line is skipped or sent twice.

import { isOfStep, type LogLevel, type LogLine, logLevels } from '../../domain/log-line.ts';
import { isFinished } from '../../domain/run.ts';
import type { Hub } from '../../engine/hub.ts';
import { createWakeSignal } from '../../lib/wake-signal.ts';
import type { LogBatch } from '../../store/log/logs.ts';
import type { ReadableLog } from '../../store/reading.ts';
import type { StreamWriter } from './open-stream.ts';

export type LogFilter = {
  readonly level?: LogLevel | undefined;
  readonly stepId?: string | undefined;
  readonly attempt?: number | undefined;
  readonly text?: string | undefined;
};

/**
 * Writes a `log` event for each line after `afterSeq`. Writes `end` when the run has finished and its last line has
 * been sent.
 */
export async function followLog(
  { log, hub }: { readonly log: ReadableLog; readonly hub: Hub },
  from: { readonly afterSeq: number; readonly filter: LogFilter },
  { signal, write }: StreamWriter,
): Promise<void> {
  const { runId } = log;
  const { filter } = from;
  const wake = createWakeSignal(signal);
  let hasFinished = false;
  function writeLines(batch: LogBatch): Promise<void> {
    if (isWhole(filter)) return write(batch.frames(), batch.lastSeq - batch.firstSeq + 1);
    const lines = linesOf(batch, filter);
    return write(lines.map(toFrame).join(''), lines.length);
  }
  const stops = [
    log.onAppend(wake.raise),
    hub.onEvents((entries) => {
      if (!entries.some((entry) => entry.runId === runId && entry.type === 'run.finished')) return;
      hasFinished = true;
      wake.raise();
    }),
  ];
  try {
    const now = await log.status();
    if (now === undefined || isFinished(now)) hasFinished = true;
    let seq = from.afterSeq;
    while (!signal.aborted) {
      // A run finishes only after its log has been closed. So if the run has finished, there are no further lines to
      // come.
      const isLast = hasFinished;
      const batch = await log.next(seq);
      if (batch) {
        seq = batch.lastSeq;
        await writeLines(batch);
      } else if (isLast) {
        const status = await log.status();
        await write(`event: end\ndata: ${JSON.stringify({ run_id: runId, status })}\n\n`);
        return;
      } else {
        await wake.raised();
      }
    }
  } finally {
    for (const stop of stops) stop();
  }
}

/** The lines of a batch that match the filter. */
function linesOf(batch: LogBatch, filter: LogFilter): LogLine[] {
  return batch.lines().filter(matcherOf(filter));
}

function isWhole(filter: LogFilter): boolean {
  return Object.values(filter).every((value) => value === undefined);
}

function toFrame({ seq, ...data }: LogLine): string {
  return `id: ${seq}\nevent: log\ndata: ${JSON.stringify(data)}\n\n`;
}

function matcherOf({ level, stepId, attempt, text }: LogFilter): (line: LogLine) => boolean {
  const lowest = level === undefined ? 0 : logLevels.indexOf(level);
  const wanted = text === undefined ? undefined : toLowerAscii(text);
  return (line) =>
    logLevels.indexOf(line.level) >= lowest &&
    (stepId === undefined || isOfStep(line.step_id, stepId)) &&
    (attempt === undefined || line.attempt === attempt) &&
    (wanted === undefined || toLowerAscii(printed(line)).includes(wanted));
}

/** The text of a line that a search looks in: the message, and the fields as JSON. */
function printed({ message, fields }: LogLine): string {
  return fields === undefined ? message : `${message} ${JSON.stringify(fields)}`;
}

function toLowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
