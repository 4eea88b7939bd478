// The commands for runs; part of the table in commands.ts.

import { statsRanges } from '../../contract/stats-range.ts';
import { eventTypes } from '../../domain/event.ts';
import { logLevels } from '../../domain/log-line.ts';
import { cancellableStatuses, listedStatuses, runStatuses, triggerTypes } from '../../domain/run.ts';
import {
  type Command,
  idempotencyKey,
  instantForms,
  limit,
  type Option,
  onInstance,
  tenant,
  wholeArguments,
} from '../command.ts';

const decision = onInstance({ name: 'comment', value: 'TEXT', about: 'the reason; it is shown with the run' });
const level: Option = {
  name: 'level',
  value: 'LEVEL',
  choices: logLevels,
  about: `lines of this level or more severe: ${logLevels.join(', ')}`,
};
const jobOrNamespace: Option = {
  name: 'job',
  value: 'JOB',
  about: 'runs of this job, or of all jobs in a namespace, such as etl/',
};
/** The options that choose runs; `readRunFilter` reads them, with --job and --tenant. */
export const runFilter: readonly Option[] = [
  {
    name: 'since',
    value: 'TIME',
    about: `runs created since ${instantForms}`,
  },
  { name: 'until', value: 'TIME', about: 'runs created before this time' },
  { name: 'label', value: 'KEY=VALUE', about: 'runs with this label' },
  { name: 'not-label', value: 'KEY=VALUE', about: 'runs without this label' },
  { name: 'by', value: 'NAME', about: 'runs that this user, token or schedule started' },
  {
    name: 'trigger',
    value: 'TYPE',
    choices: triggerTypes,
    about: `runs that were started in this way: ${triggerTypes.join(', ')}`,
  },
  { name: 'top-level', about: 'leave out runs that a step of another run started' },
  { name: 'search', value: 'TEXT', about: 'runs with this text in ids, arguments or errors' },
];

export const runCommands = [
  {
    name: 'runs',
    about: 'list runs, newest first, or show one run',
    options: onInstance(
      jobOrNamespace,
      {
        name: 'status',
        value: 'STATUS',
        choices: listedStatuses,
        about: `runs in this state: ${listedStatuses.join(', ')}`,
      },
      ...runFilter,
      limit,
      { name: 'id', value: 'RUN', about: 'show this run' },
      tenant,
    ),
    operands: '[RUN]',
    examples: ['flwd runs --status failed --since 2d', 'flwd runs run_01KJ…', 'flwd runs --job backup/daily --json'],
  },
  {
    name: 'compare',
    about: 'show how a run differs from another run, or from the previous success of its job',
    options: onInstance(),
    operands: 'RUN [RUN]',
    examples: ['flwd compare backup/daily', 'flwd compare run_01KJ…', 'flwd compare run_01KJ… run_01KK… --json'],
  },
  {
    name: 'stats',
    about:
      'show how many runs ended, how they ended and how long they took, and which jobs failed or are slower than usual',
    options: onInstance(
      {
        name: 'range',
        value: 'RANGE',
        choices: statsRanges,
        about: `how far to look back: ${statsRanges.join(', ')}; default: 24h`,
      },
      jobOrNamespace,
      tenant,
    ),
    examples: ['flwd stats', 'flwd stats --range 30d --job backup/', 'flwd stats --json'],
  },
  {
    name: 'logs',
    about:
      'print the log of a run, or follow those of all runs; the script’s stdout and stderr both go to standard output',
    options: onInstance(
      { name: 'follow', short: 'f', about: 'keep printing new lines until the run ends' },
      { name: 'all', about: 'with --follow: print the lines of all runs as they are written, until Ctrl-C' },
      {
        name: 'after',
        value: 'ID',
        about: 'with --all: continue after the line that has this `id` in the output of --json',
      },
      { name: 'tail', value: 'N', about: 'only the last N lines' },
      { name: 'since', value: 'TIME', about: `lines since ${instantForms}` },
      level,
      {
        name: 'step',
        value: 'STEP',
        about: 'lines of this step and all its instances (deploy), or of one instance (deploy[1])',
      },
      { name: 'search', value: 'TEXT', about: 'lines that contain this text' },
      {
        name: 'timestamps',
        short: 't',
        about: 'start each line with its time; ~ marks lines that were printed while no server was running',
      },
    ),
    operands: '[RUN]',
    examples: [
      'flwd logs run_01KJ… --follow',
      'flwd logs run_01KJ… --level error --tail 20',
      'flwd logs --all --follow --json',
    ],
  },
  {
    name: 'search',
    about: 'search the logs of all runs; prints the run, the job and the time of each line, newest run first',
    options: onInstance(
      { name: 'job', value: 'JOB', about: 'logs of this job’s runs' },
      {
        name: 'status',
        value: 'STATUS',
        choices: runStatuses,
        about: `logs of runs in this state: ${runStatuses.join(', ')}`,
      },
      level,
      {
        name: 'since',
        value: 'TIME',
        about: `lines since ${instantForms}`,
      },
      { name: 'until', value: 'TIME', about: 'lines before this time' },
      { ...limit, about: 'how many lines to print; default: 100' },
      tenant,
    ),
    operands: 'TEXT',
    examples: ['flwd search "disk is full" --since 2d', 'flwd search ORA-12154 --job etl/load --json'],
  },
  {
    name: 'failures',
    about: 'list what makes jobs fail: for each job and message, how often and since when',
    options: onInstance(
      { name: 'job', value: 'JOB', about: 'failures of this job' },
      { name: 'all', about: 'also failures that are fixed, because the job has succeeded since then' },
      limit,
      tenant,
    ),
    examples: ['flwd failures', 'flwd failures --job backup/daily --all'],
  },
  {
    name: 'late',
    about: 'list runs that take too long, jobs that have not succeeded in time, and times that schedules missed',
    options: onInstance(
      { name: 'job', value: 'JOB', about: 'only this job' },
      { name: 'all', about: 'also what is no longer late' },
      limit,
      tenant,
    ),
    examples: ['flwd late', 'flwd late --job backup/daily --all'],
  },
  {
    name: 'cancel',
    about: 'cancel the runs you name, or all that match the options, and wait until their processes have ended',
    options: onInstance(
      jobOrNamespace,
      {
        name: 'status',
        value: 'STATUS',
        choices: cancellableStatuses,
        about: `runs in this state: ${cancellableStatuses.join(', ')}; default: all that have not ended`,
      },
      ...runFilter,
      tenant,
      { name: 'yes', about: 'do not ask before cancelling all runs that match' },
      { name: 'force', about: 'kill the processes at once, without giving the job time to shut down' },
    ),
    operands: '[RUN…]',
    examples: [
      'flwd cancel run_01KJ… run_01KK…',
      'flwd cancel --job backup/daily --status pending',
      'flwd cancel --job etl/ --yes',
    ],
  },
  {
    name: 'rerun',
    about:
      'repeat a finished run as a new run, with the same arguments except those that you give, and print its output',
    options: onInstance(
      {
        name: 'from',
        value: 'FROM',
        about:
          'start (the default), failed (the steps that did not succeed), or a step (that step and all steps that need it)',
      },
      { name: 'latest', about: 'use the newest revision of the job, not the revision of that run' },
      ...wholeArguments('they override those of the earlier run; options override both'),
      idempotencyKey,
      { name: 'detach', short: 'd', about: 'print the id of the new run and leave it running' },
    ),
    operands: 'RUN [--ARGUMENT VALUE]…',
    argumentsOf: 'run',
    examples: [
      'flwd rerun run_01… --from failed',
      'flwd rerun run_01… --target /srv --keep.days 7',
      'flwd rerun run_01… --latest --args \'{"keep": 7}\'',
    ],
  },
  {
    name: 'approvals',
    about: 'list the steps that wait for an approval, beginning with the one that has waited longest',
    options: onInstance(
      { name: 'answered', about: 'list approvals that were answered, or ended without an answer, newest first' },
      { name: 'job', value: 'JOB', about: 'approvals of this job’s runs' },
      limit,
      tenant,
    ),
    examples: ['flwd approvals', 'flwd approvals --answered --limit 50'],
  },
  {
    name: 'approve',
    about: 'approve a step that waits for approval; if no server is running, this command continues the run',
    options: decision,
    operands: 'RUN [STEP]',
    examples: ['flwd approve run_01…', 'flwd approve run_01… ask --comment "after the backup"'],
  },
  {
    name: 'deny',
    about: 'deny a step that waits for approval; the step fails',
    options: decision,
    operands: 'RUN [STEP]',
  },
  {
    name: 'artifacts',
    about: 'list the artifacts of a run, with their folders if several have the same name',
    options: onInstance(),
    operands: 'RUN',
  },
  {
    name: 'artifacts get',
    about: 'save an artifact in the current folder under its own name, and print its path',
    options: onInstance(
      {
        name: 'output',
        short: 'o',
        value: 'PATH',
        about: 'a file or folder to save it to; - writes to standard output',
      },
      { name: 'force', about: 'replace an existing file' },
    ),
    operands: 'RUN NAME or ARTIFACT',
    examples: [
      'flwd artifacts get report/monthly report.pdf',
      'flwd artifacts get run_01… report.pdf -o ~/report.pdf',
      'flwd artifacts get artifact_01… -o - | tar tz',
    ],
  },
  {
    name: 'events',
    about: 'print events of runs as they happen, until Ctrl-C; with --run, all events of one run until its end',
    options: onInstance(
      { name: 'run', value: 'RUN', about: 'events of this run, from its creation to its end' },
      { name: 'job', value: 'JOB', about: 'events of this job’s runs' },
      {
        name: 'type',
        value: 'TYPE',
        choices: eventTypes,
        isRepeatable: true,
        about:
          'events of this type, such as run.finished; repeatable; default: all except step.output, or all with --json',
      },
    ),
    examples: ['flwd events --type run.finished --json'],
  },
  {
    name: 'export',
    about: 'save a run in a new folder, with its events, log and artifacts',
    options: onInstance(),
    operands: 'RUN DEST',
  },
] as const satisfies readonly Command[];
