// `flwd logs --all --follow`: prints the lines of all runs as they are written, until Ctrl-C (ADR 0079).

import { ApiProblem } from '../../client/api-problem.ts';
import { logLevels } from '../../domain/log-line.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { readChoice, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { withSession } from '../session/session.ts';
import { untilStopped } from '../session/stop-signal.ts';
import { createOutput, outputTaken, printable } from '../terminal/output.ts';
import { breakWords, createLinePrinter, type PrintedLine, toLine } from './log-lines.ts';

type LineOfRun = PrintedLine & { readonly job_id: string; readonly run_id: string };

/** Options of `flwd logs` that are about the log of one run. */
const ofOneRun = ['tail', 'since', 'step', 'search'] as const;

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  assertUse(options, operands);
  const after = readId(options);
  const lowest = logLevels.indexOf(readChoice(options, 'level', logLevels) ?? 'trace');
  const output = createOutput(options);
  const print = createLinePrinter(output, {
    labelOf: ({ job_id: jobId, run_id: runId, step_id: stepId }: LineOfRun) =>
      printable([jobId, runId, ...(stepId === '' ? [] : [stepId])].join(' ')),
    showsTime: options.has('timestamps'),
    to: 'stdout',
  });
  return withSession(options, async (session) => {
    if (session.isEphemeral())
      output.say(`no server is running on ${session.where}: only what other commands do will appear here`);
    return untilStopped(async (signal) => {
      const frames = session.client.stream('streamRunEvents', {
        // A line of a job with steps is also a `step.output`.
        query: { types: 'run.output', ...(after !== undefined && { last_event_id: after }) },
        signal,
        onBreak: (error) => output.warn(breakWords(error)),
      });
      try {
        for await (const { id, data } of frames) {
          const line = toLine(data);
          if (logLevels.indexOf(line.level) < lowest) continue;
          if (output.isJson) output.json({ id: Number(id), ...data });
          else print([{ ...line, run_id: String(data.run_id), job_id: String(data.job_id) }]);
          await outputTaken(signal);
        }
      } catch (error) {
        if (error instanceof ApiProblem && error.slug === 'events-expired')
          throw new Refusal(
            `${error.message} Without --after, ${ownName} logs --all prints the lines from now on; ${ownName} search finds older ones.`,
            exitCodes.notFound,
          );
        throw error;
      }
    });
  });
}

/** @throws Refusal */
function assertUse(options: Options, operands: readonly string[]): void {
  const [word] = operands;
  if (word !== undefined) throw new Refusal(`unexpected word \`${word}\`: --all prints the lines of all runs`);
  const given = ofOneRun.find((name) => options.has(name));
  if (given !== undefined) throw new Refusal(`--${given} is for the log of one run: leave it out, or name the run`);
  if (!options.has('follow'))
    throw new Refusal(
      `--all needs --follow; ${ownName} search TEXT finds lines of all runs, ${ownName} logs RUN prints the log of one`,
    );
}

/** @throws Refusal */
function readId(options: Options): string | undefined {
  const text = readValue(options, 'after');
  if (text === undefined || /^\d{1,15}$/.test(text)) return text;
  throw new Refusal(`--after ${text} is not the \`id\` of a line`);
}
