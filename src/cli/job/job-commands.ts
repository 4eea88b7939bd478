// The commands for jobs, a part of the table in commands.ts.

import { catchUps } from '../../domain/job.ts';
import {
  type Command,
  configFile,
  instance,
  jobsDir,
  json,
  type Option,
  printing,
  quiet,
  tenant,
  wholeArguments,
} from '../command.ts';

const label: Option = {
  name: 'label',
  value: 'KEY=VALUE',
  isRepeatable: true,
  about: 'a label for runs; repeatable',
};

/** The arguments of a job besides its own flags, and what a run is made with. */
const request: readonly Option[] = [
  ...wholeArguments('flags are laid over it'),
  {
    name: 'security-profile',
    value: 'PROFILE',
    choices: ['secure', 'permissive', 'disabled'],
    about: 'run it in this profile, no looser than the job and the instance allow',
  },
  tenant,
];

export const jobCommands = [
  {
    name: 'run',
    about: 'run a job with its arguments, show what it prints and wait for its end; flwd JOB is the same',
    options: [
      ...request,
      label,
      { name: 'priority', value: 'N', about: 'from -100 to 100: runs of a higher one start first' },
      { name: 'detach', short: 'd', about: 'print the id of the run and leave it running' },
      ...printing,
      ...instance,
    ],
    operands: 'JOB [--ARGUMENT VALUE]…',
    isJobCall: true,
    examples: [
      'flwd run backup/daily --target /srv --keep.days 7',
      'flwd backup daily --target /srv',
      'flwd run report --args \'{"month": "2026-01"}\' --json',
    ],
  },
  {
    name: 'plan',
    about: 'say what a run of a job would be and do, and whether it would wait or be refused; runs nothing',
    options: [...request, ...printing, ...instance],
    operands: 'JOB [--ARGUMENT VALUE]…',
    isJobCall: true,
    examples: ['flwd plan backup/daily --target /srv'],
  },
  {
    name: 'jobs',
    about: 'list the jobs, or show one of them',
    options: [
      { name: 'source', value: 'NAME', about: 'those of this source' },
      { name: 'prefix', value: 'NAMESPACE', about: 'those of this namespace and all below it' },
      { name: 'tag', value: 'TAG', about: 'those with this tag' },
      { name: 'search', value: 'TEXT', about: 'those with this text in id, title, description or tags' },
      ...printing,
      ...instance,
    ],
    operands: '[JOB]',
    examples: ['flwd jobs --prefix backup', 'flwd jobs backup/daily'],
  },
  {
    name: 'jobs validate',
    about: 'read folders of jobs, or jobs, as a source would, and say what is wrong where; asks no instance',
    options: [json, quiet],
    operands: 'DIR…',
  },
  {
    name: 'init',
    about: 'make a job that runs at once, or one of a script that there is',
    options: [
      {
        name: 'language',
        short: 'l',
        value: 'LANGUAGE',
        choices: ['bash', 'python', 'node', 'pwsh'],
        about: 'bash, python, node or pwsh; bash without it',
      },
      {
        name: 'from',
        value: 'SCRIPT',
        about: 'make it of a copy of this script, with a guess at what the script takes',
      },
      { name: 'name', value: 'TITLE', about: 'its title; that of the folder without it' },
      json,
      quiet,
      configFile,
      jobsDir,
    ],
    operands: 'PATH',
    examples: [
      'flwd init jobs/hello',
      'flwd init jobs/report --language python',
      'flwd init --from ~/bin/backup.sh jobs/backup',
    ],
  },
  {
    name: 'test',
    about: 'run the tests that jobs bring along in their tests.yaml, on an instance that is gone afterwards',
    options: [json, quiet, configFile, jobsDir],
    operands: '[JOB or NAMESPACE]…',
    examples: ['flwd test', 'flwd test backup/daily', 'flwd test --jobs ./jobs --json'],
  },
  {
    name: 'sources',
    about: 'list where jobs come from, with how many jobs each has, and how many are broken',
    options: [...printing, ...instance],
  },
  {
    name: 'schedules',
    about: 'list the schedules, and when each fires next',
    options: [{ name: 'job', value: 'JOB', about: 'those of this job' }, tenant, ...printing, ...instance],
  },
  {
    name: 'schedules add',
    about: 'have a job run by itself, and print the id of the schedule',
    options: [
      { name: 'cron', value: 'PATTERN', about: "when: five fields, such as '0 3 * * *'" },
      { name: 'timezone', value: 'ZONE', about: 'in which zone, such as Europe/Berlin; else UTC' },
      {
        name: 'catch-up',
        value: 'WHICH',
        choices: catchUps,
        about: 'of times that were missed: none, the last, or all of them',
      },
      { name: 'jitter', value: 'TIME', about: 'delay each start by less than this, such as 30s' },
      { name: 'name', value: 'NAME', about: 'what to call it' },
      { name: 'next', value: 'N', about: 'only say when it would fire, so many times; saves nothing' },
      ...wholeArguments('flags are laid over it'),
      label,
      tenant,
      ...printing,
      ...instance,
    ],
    operands: 'JOB [--ARGUMENT VALUE]…',
    isJobCall: true,
    examples: ["flwd schedules add backup/daily --cron '0 3 * * *' --timezone Europe/Berlin --target /srv"],
  },
  {
    name: 'schedules rm',
    about: 'remove a schedule that was made by flwd schedules add or through the API; its runs stay',
    options: [...printing, ...instance],
    operands: 'SCHEDULE',
  },
  {
    name: 'schedules pause',
    about: 'have such a schedule start nothing until it is resumed',
    options: [...printing, ...instance],
    operands: 'SCHEDULE',
  },
  {
    name: 'schedules resume',
    about: 'have it start runs again',
    options: [...printing, ...instance],
    operands: 'SCHEDULE',
  },
  {
    name: 'tui',
    about: 'find and start jobs, watch and search runs and their logs, all in the terminal; ? says its keys',
    options: instance,
  },
] as const satisfies readonly Command[];
