// Finds the first line in which the logs of two runs differ. Steps that run at the same time mix their lines, so each
// step is compared by itself, in the order of the steps. Times and ids of runs differ always, so they do not count.

import type { AnswerOf } from '../contract/operations.ts';
import type { Client } from './client.ts';

type Run = AnswerOf<'getRun'>;
type Page = AnswerOf<'getRunLogs'>;
export type Line = Page['logs'][number];

export type LogDifference =
  /** The line of each run; null: its log of this step has ended. */
  | { readonly kind: 'line'; readonly stepId: string; readonly a: Line | null; readonly b: Line | null }
  | { readonly kind: 'same' }
  /** No difference in as many lines as were read. */
  | { readonly kind: 'unknown'; readonly lines: number };

const pageLines = 1_000;
const mostLines = 20_000;

export async function findLogDifference(client: Client, a: Run, b: Run, signal?: AbortSignal): Promise<LogDifference> {
  const stepIds = b.steps.filter(({ kind }) => kind === 'command').map(({ step_id: id }) => id);
  let lines = 0;
  for (const stepId of stepIds) {
    const read = (run: Run, cursor: string | null): Promise<Page> =>
      client.call('getRunLogs', {
        path: { run_id: run.run_id },
        query: { step_id: stepId, limit: pageLines, ...(cursor !== null && { cursor }) },
        ...(signal && { signal }),
      });
    let cursorA: string | null = null;
    let cursorB: string | null = null;
    for (;;) {
      const [pageA, pageB]: readonly [Page, Page] = await Promise.all([read(a, cursorA), read(b, cursorB)]);
      const at = firstDifference(pageA.logs, pageB.logs);
      if (at !== null) return { kind: 'line', stepId, a: pageA.logs[at] ?? null, b: pageB.logs[at] ?? null };
      lines += pageB.logs.length;
      cursorA = pageA.next_cursor;
      cursorB = pageB.next_cursor;
      if (cursorA === null || cursorB === null || pageA.logs.length < pageLines) break;
      if (lines >= mostLines) return { kind: 'unknown', lines };
    }
  }
  return { kind: 'same' };
}

function firstDifference(a: readonly Line[], b: readonly Line[]): number | null {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [lineA, lineB] = [a[at], b[at]];
    if (!lineA || !lineB || steady(lineA.message) !== steady(lineB.message)) return at;
  }
  return null;
}

const changing =
  /run_[0-9A-HJKMNP-TV-Z]{26}|\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?)?|\d\d:\d\d:\d\d([.,]\d+)?/g;

/** The message without what differs from run to run. */
function steady(message: string): string {
  return message.replaceAll(changing, '#');
}
