// `flwd events`: prints what happens to runs until Ctrl-C; with --run, everything about one run until its end.

import type { Frame } from '../../client/resuming-stream.ts';
import { type EventType, eventTypes } from '../../domain/event.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { hint } from '../command-line.ts';
import { type ExitCode, Refusal } from '../exit-code.ts';
import { readValue } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { untilStopped } from '../session/stop-signal.ts';
import { createOutput, mayColour, type Output, outputTaken } from '../terminal/output.ts';
import { forTerminal } from '../terminal/terminal-text.ts';
import { breakWords } from './log-lines.ts';
import { findRunId } from './named-run.ts';

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const word = readValue(options, 'run');
  const asked = readTypes(options);
  // Jobs with steps report each line as two events. People want to read it once.
  const shown = asked.length > 0 || output.isJson ? asked : eventTypes.filter((type) => type !== 'step.output');
  return withSession(options, async (session) => {
    const runId = word === undefined ? undefined : await findRunId(session, word, { output, orLastOf: true });
    const query = defined({
      run_id: runId,
      job_id: readValue(options, 'job'),
      types: shown.length > 0 ? shown.join(',') : undefined,
    });
    if (runId !== undefined) session.ensureStarted(runId);
    else if (session.isEphemeral())
      output.say(`no server is running on ${session.where}: only what other commands do will appear here`);
    return untilStopped(async (signal) => {
      const frames = session.client.stream('streamRunEvents', {
        query,
        signal,
        onBreak: (error) => output.warn(breakWords(error)),
      });
      for await (const { id, event, data } of frames) {
        if (output.isJson) output.json({ id: Number(id), event, ...data });
        else output.text(`${toLine(event, data, output)}\n`);
        await outputTaken(signal);
      }
    });
  });
}

/** @throws Refusal */
function readTypes(options: Options): EventType[] {
  const names = (options.get('type') ?? []).flatMap((text) => text.split(','));
  return names.map((name) => {
    const type = eventTypes.find((one) => one === name);
    if (type) return type;
    throw new Refusal(
      `--type does not take \`${name}\`${hint(name, eventTypes) ?? `; use one of ${eventTypes.join(', ')}`}`,
    );
  });
}

function toLine(event: string, data: Frame['data'], output: Output): string {
  const { run_id: runId, job_id: jobId, tenant: _, timestamp, step_id: step, message, ...others } = data;
  const text = typeof message === 'string' ? [`| ${message}`] : [];
  const details = Object.entries(others)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${String(value)}`);
  const parts = [
    output.paint('faint', String(timestamp)),
    output.paint('strong', event),
    String(jobId),
    output.paint('faint', String(runId)),
    ...(typeof step === 'string' ? [step] : []),
    ...(event === 'run.output' || event === 'step.output' ? [] : details),
    ...text,
  ];
  const line = parts.join('  ');
  return output.isForPeople ? forTerminal(line, mayColour()) : line.replaceAll('\n', ' ');
}
