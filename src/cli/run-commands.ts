// The commands for runs, a part of the table in commands.ts.

import { logLevels } from '../domain/log-line.ts';
import { runStatuses } from '../domain/run.ts';
import { type Command, instance, limit, printing, tenant } from './command.ts';

export const runCommands = [
  {
    name: 'runs',
    about: 'list runs, newest first, or show one of them',
    options: [
      { name: 'job', value: 'JOB', about: 'those of this job' },
      { name: 'status', value: 'STATUS', choices: runStatuses, about: runStatuses.join(', ') },
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
    about: 'print the log of a run',
    options: [
      { name: 'follow', short: 'f', about: 'go on with what comes, until the run has ended' },
      { name: 'tail', value: 'N', about: 'the last lines only' },
      {
        name: 'level',
        value: 'LEVEL',
        choices: logLevels,
        about: `lines of this level or worse: ${logLevels.join(', ')}`,
      },
      { name: 'step', value: 'STEP', about: 'lines of this step' },
      { name: 'search', value: 'TEXT', about: 'lines that contain this text' },
      { name: 'timestamps', short: 't', about: 'begin each line with its time' },
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
] as const satisfies readonly Command[];
