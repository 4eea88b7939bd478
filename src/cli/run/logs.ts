// `flwd logs RUN`: prints the log of a run, all of it or its end, and follows it.

import type { QueryOf } from '../../contract/operations.ts';
import { logLevels } from '../../domain/log-line.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { oneOperand, readChoice, readCount, readValue } from '../option-values.ts';
import { type Session, withSession } from '../session/session.ts';
import { onReaderGone } from '../session/stop-signal.ts';
import { createOutput, outputTaken } from '../terminal/output.ts';
import { breakWords, createLinePrinter, followLog, type LinePrinter } from './log-lines.ts';
import { findRunId } from './named-run.ts';
import { createStepLabels } from './step-labels.ts';
import { nameSubRuns, subRunOf } from './sub-runs.ts';

const pageLines = 10_000;

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  if (options.has('all')) return (await import('./logs-of-all.ts')).run(options, operands);
  if (options.has('after')) throw new Refusal('--after is for the lines of all runs: use it with --all');
  const word = oneOperand(operands, 'flwd logs RUN; flwd runs lists the runs');
  const output = createOutput(options);
  const asked = queryOf(options);
  return withSession(options, async (session) => {
    const { client } = session;
    const namedId = await findRunId(session, word, { output, orLastOf: true });
    const of = await client.call('getRun', { path: { run_id: namedId } });
    const child = subRunOf(of, asked.step_id);
    const runId = child ?? namedId;
    const { step_id: stepId, ...others } = asked;
    const query = child === null ? asked : others;
    // If there is no server, this command also drives the run that it follows.
    session.attend(namedId);
    const labels = of.steps.length > 1 && !options.has('step') ? createStepLabels(client, runId) : null;
    const printLine = createLinePrinter(output, {
      labelOf: labels && (({ step_id: ofLine }) => labels.of(ofLine)),
      showsTime: options.has('timestamps'),
      // The log is this command's data, including what the script wrote to its standard error.
      to: 'stdout',
      separatesAttempts: true,
    });
    const print: LinePrinter = output.isJson
      ? output.json
      : (line) => {
          const learning = labels?.learn(line.step_id);
          return learning ? learning.then(() => printLine(line)) : printLine(line);
        };
    const leaving = new AbortController();
    const release = onReaderGone(() => leaving.abort());
    const { signal } = leaving;
    try {
      const onBreak = (error: Error): void => output.warn(breakWords(error));
      if (options.has('follow')) await followLog(client, runId, { query, print, signal, onBreak });
      else if ((await printAll(session, runId, { query, print, signal })).isExpired)
        output.warn('the log was removed when its retention ended');
      const hasSubRuns = stepId === undefined && of.steps.some(({ kind }) => kind === 'job');
      // Read again: steps may have started since.
      if (hasSubRuns && !output.isJson)
        nameSubRuns(await client.call('getRun', { path: { run_id: namedId } }), session, output);
    } finally {
      release();
    }
    return exitCodes.done;
  });
}

function queryOf(options: Options): QueryOf<'getRunLogs'> {
  return defined({
    step_id: readValue(options, 'step'),
    q: readValue(options, 'search'),
    level: readChoice(options, 'level', logLevels),
    tail: readCount(options, 'tail'),
  });
}

async function printAll(
  { client }: Session,
  runId: string,
  o: { readonly query: QueryOf<'getRunLogs'>; readonly print: LinePrinter; readonly signal: AbortSignal },
): Promise<{ readonly isExpired: boolean }> {
  const { query, print, signal } = o;
  let cursor: string | null = null;
  for (;;) {
    const limit = query.tail === undefined ? { limit: pageLines } : {};
    const page: Awaited<ReturnType<typeof read>> = await read({
      ...query,
      ...limit,
      ...(cursor !== null && { cursor }),
    });
    for (const line of page.logs) {
      const printing = print(line);
      // Waiting for each of a million lines would take a sixth longer.
      if (printing) await printing;
    }
    await outputTaken(signal);
    if (page.logs_expired) return { isExpired: true };
    if (signal.aborted || page.next_cursor === null || query.tail !== undefined) return { isExpired: false };
    cursor = page.next_cursor;
  }

  function read(by: QueryOf<'getRunLogs'>) {
    return client.call('getRunLogs', { path: { run_id: runId }, query: by });
  }
}
