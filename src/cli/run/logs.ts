// `flwd logs RUN`: prints the log of a run, all of it or its end, and follows it.

import type { Client } from '../../client/client.ts';
import { logTexts, toLogLine } from '../../client/whole-log.ts';
import type { AnswerOf, QueryOf } from '../../contract/operations.ts';
import { logLevels } from '../../domain/log-line.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { oneOperand, readChoice, readCount, readInstant, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { lostRun, onLost } from '../session/lost-data-dir.ts';
import { withSession } from '../session/session.ts';
import { onReaderGone } from '../session/stop-signal.ts';
import { createOutput, type Output, outputTaken } from '../terminal/output.ts';
import { breakWords, createLinePrinter, followLog, type PrintedLine, toLine } from './log-lines.ts';
import { findRunId, namedStep } from './named-run.ts';
import { createStepLabels, type StepLabels } from './step-labels.ts';
import { nameSubRuns, subRunOf } from './sub-runs.ts';

/** How many lines one request reads. Most logs are shorter, and so take only one request. */
const pageLines = 1_000;

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  if (options.has('all')) return (await import('./logs-of-all.ts')).run(options, operands);
  if (options.has('after')) throw new Refusal('--after is for the lines of all runs: use it with --all');
  if (operands.length === 2)
    throw new Refusal(`unexpected word \`${operands[1]}\`: for the lines of one step, write --step STEP`);
  const word = oneOperand(operands, `${ownName} logs RUN; ${ownName} runs lists the runs`);
  const output = createOutput(options);
  const asked = queryOf(options);
  return withSession(options, async (session) => {
    const { client } = session;
    const namedId = await findRunId(session, word, { output, orLastOf: true, hasLog: true });
    const of = await client.call('getRun', { path: { run_id: namedId } });
    assertStep(of, asked.step_id);
    const child = subRunOf(of, asked.step_id);
    const runId = child ?? namedId;
    const { step_id: stepId, ...others } = asked;
    const query = child === null ? asked : others;
    if (options.has('follow')) session.ensureStarted(namedId);
    const labels = of.steps.length > 1 && !options.has('step') ? createStepLabels(client, runId) : null;
    const printer = createPrinter(output, { labels, showsTime: options.has('timestamps') });
    const leaving = new AbortController();
    let isLost = false;
    const endLook = onLost(session, namedId, () => {
      isLost = true;
      leaving.abort();
    });
    const releases = [onReaderGone(() => leaving.abort()), endLook];
    const log: WantedLog = { client, runId, query, signal: leaving.signal };
    try {
      if (options.has('follow')) await follow(log, printer, output);
      else if ((await printAll(log, printer)).isExpired) output.warn('the log was removed when its retention ended');
      if (isLost) throw lostRun(session, namedId);
      const hasSubRuns = stepId === undefined && of.steps.some(({ kind }) => kind === 'job');
      // Read the run again, because steps may have started since it was last read.
      if (hasSubRuns && !output.isJson)
        nameSubRuns(await client.call('getRun', { path: { run_id: namedId } }), session, output);
    } finally {
      for (const release of releases) release();
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
    since: readInstant(options, 'since'),
  });
}

/**
 * @throws Refusal if the run has no such step and cannot get it later. A step gets its instances when it starts, so
 * `build[1]` is accepted if the run has a step `build` and has not ended.
 */
function assertStep(run: AnswerOf<'getRun'>, given: string | undefined): void {
  if (given === undefined || run.steps.length === 0) return;
  const [whole = given] = given.split('[', 1);
  const isToCome = run.finished_at === null && run.steps.some(({ step_id: id }) => id === whole);
  if (!isToCome) namedStep(run, given);
}

type Printer = {
  readonly lines: (lines: readonly PrintedLine[]) => void | Promise<void>;
  /** Lines as the API has them, each as JSON. */
  readonly texts: (texts: readonly string[]) => void | Promise<void>;
};

function createPrinter(
  output: Output,
  { labels, showsTime }: { readonly labels: StepLabels | null; readonly showsTime: boolean },
): Printer {
  if (output.isJson)
    return {
      lines: (lines) => output.jsonTexts(lines.map((line) => JSON.stringify(line))),
      texts: output.jsonTexts,
    };
  const print = createLinePrinter(output, {
    labelOf: labels && (({ step_id: ofLine }) => labels.of(ofLine)),
    showsTime,
    // The log is this command's data, including what the script wrote to its standard error.
    to: 'stdout',
    separatesAttempts: true,
  });
  const printLines = async (lines: readonly PrintedLine[]): Promise<void> => {
    for (const { step_id: ofLine } of labels ? lines : []) {
      const learning = labels?.learn(ofLine);
      // Without this check, a log of a million lines would take a sixth longer.
      if (learning) await learning;
    }
    print(lines);
  };
  return { lines: printLines, texts: (texts) => printLines(texts.map(toLogLine)) };
}

type WantedLog = {
  readonly client: Client;
  readonly runId: string;
  readonly query: QueryOf<'getRunLogs'>;
  readonly signal: AbortSignal;
};

async function printAll(log: WantedLog, printer: Printer): Promise<{ readonly isExpired: boolean }> {
  const { client, runId, query, signal } = log;
  let cursor: string | undefined;
  for (;;) {
    // Reads a page first. Only a page says whether the log was removed. And if the connection breaks, reading a page
    // throws an error, but `printRest` just ends early.
    const limit = query.tail === undefined ? pageLines : undefined;
    const page: AnswerOf<'getRunLogs'> = await client.call('getRunLogs', {
      path: { run_id: runId },
      query: defined({ ...query, limit, cursor }),
    });
    await printer.lines(page.logs);
    await outputTaken(signal);
    if (page.logs_expired) return { isExpired: true };
    if (signal.aborted || page.next_cursor === null || query.tail !== undefined) return { isExpired: false };
    cursor = await printRest({ ...log, query: { ...query, cursor: page.next_cursor } }, printer.texts);
  }
}

/**
 * Prints the lines after `query.cursor`.
 * @returns the cursor after the last line
 */
async function printRest({ client, runId, ...log }: WantedLog, print: Printer['texts']): Promise<string> {
  let { cursor = '0' } = log.query;
  for await (const texts of logTexts(client, runId, log)) {
    await print(texts);
    await outputTaken(log.signal);
    cursor = String(toLogLine(texts.at(-1) ?? '').seq);
  }
  return cursor;
}

/** Prints the lines so far, then those to come. */
async function follow(log: WantedLog, printer: Printer, output: Output): Promise<void> {
  const { client, runId, query, signal } = log;
  const print = (texts: readonly string[]) => printer.lines(texts.map((text) => toLine(toLogLine(text))));
  const cursor = query.tail === undefined ? await printRest(log, print) : undefined;
  await followLog(client, runId, {
    query: defined({ ...query, cursor }),
    print: (line) => printer.lines([line]),
    signal,
    onBreak: (error) => output.warn(breakWords(error)),
  });
}
