// The commands for jobs, a part of the table in commands.ts.

import { type Command, instance, type Option, printing, tenant } from './command.ts';

/** The arguments of a job besides its own flags, and what a run is made with. */
const request: readonly Option[] = [
  { name: 'args', value: 'JSON', about: 'arguments as a JSON object, - for standard input; flags are laid over it' },
  { name: 'args-file', value: 'FILE', about: 'the same from a file, as JSON or YAML' },
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
      { name: 'label', value: 'KEY=VALUE', isRepeatable: true, about: 'a label for the run; more than once' },
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
  },
  {
    name: 'tui',
    about: 'find and start jobs, watch and search runs and their logs, all in the terminal; ? says its keys',
    options: instance,
  },
] as const satisfies readonly Command[];
