// Finds the first line in which the logs of two runs differ. The lines of steps that run at the same time are mixed, so
// each step is compared by itself, in the order of the steps. Times and ids of runs always differ, so they do not
// count.

import type { AnswerOf } from '../contract/operations.ts';
import type { Client } from './client.ts';
import { isKept } from './shown-steps.ts';

type Run = AnswerOf<'getRun'>;
type Page = AnswerOf<'getRunLogs'>;
export type Line = Page['logs'][number];

export type LogDifference =
  /** The first line that differs, in each run. null: the run's log of this step has ended before that line. */
  | { readonly kind: 'line'; readonly stepId: string; readonly a: Line | null; readonly b: Line | null }
  | { readonly kind: 'same' }
  /** No difference was found in the lines that were read. There are more lines. */
  | { readonly kind: 'unknown'; readonly lines: number };

const pageLines = 1_000;
const mostLines = 20_000;

export async function findLogDifference(client: Client, a: Run, b: Run, signal?: AbortSignal): Promise<LogDifference> {
  const [chainOfA, chainOfB] = await Promise.all([chainOf(client, a, signal), chainOf(client, b, signal)]);
  const stepIds = b.steps.filter(({ kind }) => kind === 'command').map(({ step_id: id }) => id);
  let lines = 0;
  for (const stepId of stepIds) {
    const [ofA, ofB] = [printedBy(chainOfA, stepId), printedBy(chainOfB, stepId)];
    if (ofA === ofB) continue;
    const read = (runId: string) => linesOf(client, { runId, stepId, signal });
    const [linesOfA, linesOfB] = [read(ofA), read(ofB)];
    for (;;) {
      const [nextA, nextB] = await Promise.all([linesOfA.next(), linesOfB.next()]);
      const [lineA, lineB] = [nextA.value ?? null, nextB.value ?? null];
      if (lineA === null && lineB === null) break;
      if (lines === mostLines) return { kind: 'unknown', lines };
      if (lineA === null || lineB === null || steady(lineA.message) !== steady(lineB.message))
        return { kind: 'line', stepId, a: lineA, b: lineB };
      lines += 1;
    }
  }
  return { kind: 'same' };
}

/** Returns the run and, after it, the earlier runs whose steps it kept. */
async function chainOf(client: Client, run: Run, signal: AbortSignal | undefined): Promise<readonly Run[]> {
  const { rerun_of: earlier, steps } = run;
  if (earlier === null || !steps.some((step) => isKept(run, step))) return [run];
  const before = await client.call('getRun', { path: { run_id: earlier }, ...(signal && { signal }) });
  return [run, ...(await chainOf(client, before, signal))];
}

/** Returns the id of the run whose log has the lines of the step. If a rerun kept the step, this is an earlier run. */
function printedBy(chain: readonly Run[], stepId: string): string {
  const isHere = (run: Run) => !run.steps.some((step) => step.step_id === stepId && isKept(run, step));
  return chain.find(isHere)?.run_id ?? '';
}

/** Yields the lines of a step. Reads them page by page. */
async function* linesOf(
  client: Client,
  o: { readonly runId: string; readonly stepId: string; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Line, undefined> {
  let cursor: string | null = null;
  do {
    const page: Page = await client.call('getRunLogs', {
      path: { run_id: o.runId },
      query: { step_id: o.stepId, limit: pageLines, ...(cursor !== null && { cursor }) },
      ...(o.signal && { signal: o.signal }),
    });
    yield* page.logs;
    cursor = page.next_cursor;
  } while (cursor !== null);
}

const changing =
  /run_[0-9A-HJKMNP-TV-Z]{26}|\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?)?|\d\d:\d\d:\d\d([.,]\d+)?/g;

/** Returns the message without the parts that always differ between two runs. */
function steady(message: string): string {
  return message.replaceAll(changing, '#');
}
