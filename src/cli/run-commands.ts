// The commands for runs, a part of the table in commands.ts.

import { logLevels } from '../domain/log-line.ts';
import { runStatuses } from '../domain/run.ts';
import { type Command, instance, limit, printing, tenant, wholeArguments } from './command.ts';

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
] as const satisfies readonly Command[];
