// The commands for runs, a part of the table in commands.ts.

import { eventTypes } from '../../domain/event.ts';
import { logLevels } from '../../domain/log-line.ts';
import { listedStatuses } from '../../domain/run.ts';
import { type Command, instance, limit, type Option, printing, tenant, wholeArguments } from '../command.ts';

const decision: readonly Option[] = [
  { name: 'comment', value: 'TEXT', about: 'why; the run shows it' },
  ...printing,
  ...instance,
];

export const runCommands = [
  {
    name: 'runs',
    about: 'list runs, newest first, or show one of them',
    options: [
      { name: 'job', value: 'JOB', about: 'those of this job' },
      { name: 'status', value: 'STATUS', choices: listedStatuses, about: listedStatuses.join(', ') },
      { name: 'since', value: 'TIME', about: 'created since this time (RFC 3339), or this long ago, such as 2d' },
      { name: 'until', value: 'TIME', about: 'created before it' },
      { name: 'label', value: 'KEY=VALUE', about: 'those with this label' },
      { name: 'search', value: 'TEXT', about: 'those with this text in ids, arguments or errors' },
      limit,
      { name: 'id', value: 'RUN', about: 'this run, whole' },
      tenant,
      ...printing,
      ...instance,
    ],
    operands: '[RUN]',
    examples: ['flwd runs --status failed --since 2d', 'flwd runs run_01KJ…', 'flwd runs --job backup/daily --json'],
  },
  {
    name: 'logs',
    about: 'print the log of a run, with both of its streams on standard output',
    options: [
      { name: 'follow', short: 'f', about: 'go on with what comes, until the run has ended' },
      { name: 'tail', value: 'N', about: 'the last lines only' },
      {
        name: 'level',
        value: 'LEVEL',
        choices: logLevels,
        about: `lines of this level or worse: ${logLevels.join(', ')}`,
      },
      { name: 'step', value: 'STEP', about: 'lines of this step and its instances' },
      { name: 'search', value: 'TEXT', about: 'lines that contain this text' },
      {
        name: 'timestamps',
        short: 't',
        about:
          'begin each line with its time; ~ before it: it was printed earlier, while no server was there to read it',
      },
      ...printing,
      ...instance,
    ],
    operands: 'RUN',
    examples: ['flwd logs run_01KJ… --follow', 'flwd logs run_01KJ… --level error --tail 20'],
  },
  {
    name: 'cancel',
    about: 'cancel runs: their processes are gone when it says so',
    options: [
      { name: 'force', about: 'kill them at once, without the time that the job has to end in order' },
      ...printing,
      ...instance,
    ],
    operands: 'RUN…',
    examples: ['flwd cancel run_01KJ… run_01KK…'],
  },
  {
    name: 'rerun',
    about: 'run a finished run again, as a run of its own; shows it like flwd run does',
    options: [
      {
        name: 'from',
        value: 'FROM',
        about: 'failed: what did not succeed; a step: that one and what needs it; else start',
      },
      { name: 'latest', about: 'with the job as it is now, not as it was' },
      ...wholeArguments('they are laid over those of that run'),
      { name: 'detach', short: 'd', about: 'print the id of the new run and leave it running' },
      ...printing,
      ...instance,
    ],
    operands: 'RUN',
    examples: ['flwd rerun run_01… --from failed', 'flwd rerun run_01… --latest --args \'{"keep": 7}\''],
  },
  {
    name: 'approve',
    about: 'approve the step of a run that waits for it; without a server, see to what comes of it',
    options: decision,
    operands: 'RUN [STEP]',
    examples: ['flwd approve run_01…', 'flwd approve run_01… ask --comment "after the backup"'],
  },
  {
    name: 'deny',
    about: 'deny it: the step fails',
    options: decision,
    operands: 'RUN [STEP]',
  },
  {
    name: 'artifacts',
    about: 'list the artifacts of a run',
    options: [...printing, ...instance],
    operands: 'RUN',
  },
  {
    name: 'artifacts get',
    about: 'save an artifact under its name in the current folder, and print where',
    options: [
      { name: 'output', short: 'o', value: 'PATH', about: 'a file or a folder to save it to; - is standard output' },
      { name: 'force', about: 'replace the file that is there' },
      ...printing,
      ...instance,
    ],
    operands: 'ARTIFACT',
    examples: ['flwd artifacts get artifact_01… -o report.pdf', 'flwd artifacts get artifact_01… -o - | tar tz'],
  },
  {
    name: 'events',
    about: 'print what happens to runs, as it happens, until Ctrl-C; of one run all of it, until its end',
    options: [
      { name: 'run', value: 'RUN', about: 'of this run, from its creation to its end' },
      { name: 'job', value: 'JOB', about: 'of the runs of this job' },
      {
        name: 'type',
        value: 'TYPE',
        choices: eventTypes,
        isRepeatable: true,
        about: 'of this type, such as run.finished; repeatable; by default all types but step.output, with --json all',
      },
      ...printing,
      ...instance,
    ],
    examples: ['flwd events --type run.finished --json'],
  },
  {
    name: 'export',
    about: 'save all that is known of a run in a new folder: itself, its events, its log, its artifacts',
    options: [...printing, ...instance],
    operands: 'RUN DEST',
  },
] as const satisfies readonly Command[];
