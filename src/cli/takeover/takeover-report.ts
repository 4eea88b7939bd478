// Shows what a takeover does: the next times of each line under cron and under flwd, side by side.

import { noteOfMail } from '../import/crontab-job.ts';
import { withoutSecrets } from '../import/secret-text.ts';
import { ownName } from '../own-name.ts';
import { type Output, printable } from '../terminal/output.ts';
import { placeOf } from './imported-lines.ts';
import type { Prepared } from './prepared.ts';

const steps = {
  'take-over': 'flwd takes it over',
  release: 'commented out by an interrupted takeover: flwd releases it',
  taken: 'flwd has taken it over',
  left: 'left as it is',
} as const;

export function printPlan(prepared: readonly Prepared[], output: Output): void {
  if (output.isJson) output.json({ lines: prepared.map(toJson) });
  else if (prepared.length === 0)
    output.say(`No job here was imported from a crontab: ${ownName} import crontab imports the lines.`);
  else output.text(`${[...prepared.flatMap(linesOf), ...mailNotes(prepared)].join('\n')}\n`);
}

/** Writes one note for each address, because a MAILTO applies to all lines below it. */
function mailNotes(prepared: readonly Prepared[]): string[] {
  const notes = prepared.flatMap(({ line, step }) =>
    line.kind === 'active' && step === 'take-over' && line.mailTo !== '' ? [`note: ${noteOfMail(line.mailTo)}`] : [],
  );
  return [...new Set(notes)].map(printable);
}

function linesOf(prepared: Prepared): string[] {
  const { line, step, nextTimes, warning, runAs } = prepared;
  const { record, jobId } = line;
  const state = stateOf(prepared);
  const head = [
    `${printable(placeOf(line))}: ${printable(withoutSecrets(record.text))}`,
    `  ${jobId ?? '-'}: ${printable(state)}`,
  ];
  if (line.kind !== 'active' || step === 'left') return head;
  const rows = Math.max(line.nextTimes.length, nextTimes.length);
  const width = Math.max(4, ...line.nextTimes.map((time) => time.length));
  const times = Array.from({ length: rows }, (_, at) => {
    const [old = '-', own = '-'] = [line.nextTimes[at], nextTimes[at]];
    return `    ${old.padEnd(width)}  ${own}${old === own ? '' : '  differs'}`;
  });
  const notes = [
    warning === null ? [] : `  note: ${warning}`,
    runAs === null || runAs === record.user
      ? []
      : printable(`  note: cron ran it as ${record.user ?? 'another user'}, and flwd runs it as ${runAs}`),
  ].flat();
  if (rows === 0) return [...head, ...notes, '    cron and flwd: once per boot'];
  return [...head, ...notes, `    ${'cron'.padEnd(width)}  flwd`, ...times];
}

function stateOf({ step, reason, schedules }: Prepared): string {
  if (reason !== null) return `${steps[step]}: ${reason}`;
  const held = step === 'taken' ? schedules.find((one) => one.held) : undefined;
  return held ? `${steps[step]}, but its schedule is held: ${ownName} schedules release ${held.id}` : steps[step];
}

function toJson({ line, step, reason, nextTimes, schedules, warning, runAs }: Prepared) {
  return {
    place: line.record.place,
    lines: 'lines' in line ? line.lines : [],
    text: line.record.text,
    job_id: line.jobId,
    step,
    reason,
    warning,
    run_as: runAs,
    schedules: schedules.map(({ id }) => id),
    cron_mails_to: line.kind === 'active' && line.mailTo !== '' ? line.mailTo : null,
    cron_times: line.kind === 'active' ? line.nextTimes : [],
    flwd_times: nextTimes,
  };
}
