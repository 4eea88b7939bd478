// The commands for jobs; part of the table in commands.ts.

import { catchUps } from '../../domain/job.ts';
import { agentScopes, usualAgentScopes } from '../../domain/principal.ts';
import { backfillStatuses } from '../../domain/schedule.ts';
import { webhookSchemes } from '../../domain/trigger/webhook.ts';
import {
  type Command,
  configFile,
  idempotencyKey,
  instance,
  instantForms,
  jobsDir,
  json,
  limit,
  type Option,
  onInstance,
  quiet,
  tenant,
  wholeArguments,
} from '../command.ts';

const detach: Option = { name: 'detach', short: 'd', about: 'print the id of the run and leave it running' };

const label: Option = {
  name: 'label',
  value: 'KEY=VALUE',
  isRepeatable: true,
  about: 'add a label to the run; repeatable',
};

const allSchedules: Option = {
  name: 'all',
  about: 'required; the schedules of every tenant that you have access to, or only of --tenant',
};

/** Options for the arguments of a job and the settings of its run. */
const request: readonly Option[] = [
  ...wholeArguments('options override it'),
  {
    name: 'security-profile',
    value: 'PROFILE',
    choices: ['secure', 'permissive', 'disabled'],
    about: 'run in this profile, if the job and the instance allow it',
  },
  tenant,
];

export const jobCommands = [
  {
    name: 'run',
    about: 'run a job, print its output and wait until it ends; flwd JOB does the same',
    options: onInstance(
      ...request,
      label,
      idempotencyKey,
      { name: 'priority', value: 'N', about: 'from -100 to 100; runs with a higher priority start first' },
      detach,
    ),
    operands: 'JOB [--ARGUMENT VALUE]…',
    argumentsOf: 'job',
    examples: [
      'flwd run backup/daily --target /srv --keep.days 7',
      'flwd backup daily --target /srv',
      'flwd run report --args \'{"month": "2026-01"}\' --json',
    ],
  },
  {
    name: 'plan',
    about: 'show what a run of a job would do and whether it would start, wait or be refused; runs nothing',
    options: onInstance(...request),
    operands: 'JOB [--ARGUMENT VALUE]…',
    argumentsOf: 'job',
    examples: ['flwd plan backup/daily --target /srv'],
  },
  {
    name: 'jobs',
    about: 'list jobs, or show one job',
    options: onInstance(
      { name: 'source', value: 'NAME', about: 'jobs of this source' },
      { name: 'prefix', value: 'NAMESPACE', about: 'jobs of this namespace and those below it' },
      { name: 'tag', value: 'TAG', about: 'jobs with this tag' },
      { name: 'search', value: 'TEXT', about: 'jobs with this text in id, title, description or tags' },
    ),
    operands: '[JOB]',
    examples: ['flwd jobs --prefix backup', 'flwd jobs backup/daily'],
  },
  {
    name: 'jobs validate',
    about: 'check jobs or folders of jobs and print every error with its file and line; needs no instance',
    options: [json, quiet],
    operands: 'DIR…',
  },
  {
    name: 'init',
    about: 'create a job that is ready to run, or turn an existing script into a job',
    options: [
      {
        name: 'language',
        short: 'l',
        value: 'LANGUAGE',
        choices: ['bash', 'python', 'node', 'pwsh'],
        about:
          'bash, python, node or pwsh; default: bash. A script in pwsh reads its arguments from the file $FLWD_ARGS_FILE',
      },
      {
        name: 'from',
        value: 'SCRIPT',
        about:
          'copy this script into the job, and guess which arguments it takes and what it uses; ' +
          'if it is a folder, each script in it becomes a job',
      },
      {
        name: 'profile',
        value: 'PROFILE',
        choices: ['secure', 'permissive', 'disabled'],
        about:
          'with --from: how isolated the job runs; with permissive, it can read the host’s files, but not change them',
      },
      { name: 'allow', about: 'with --from: let the job ask for everything that the script seems to use' },
      { name: 'name', value: 'TITLE', about: 'the title of the job; default: derived from its folder’s name' },
      json,
      quiet,
      configFile,
      jobsDir,
    ],
    operands: '[PATH]',
    examples: [
      'flwd init jobs/hello',
      'flwd init jobs/report --language python',
      'flwd init --from ~/bin/backup.sh jobs/backup',
      'flwd init --from ~/bin --profile permissive',
    ],
  },
  {
    name: 'test',
    about: 'run the tests in the jobs’ tests.yaml files, on a temporary instance',
    options: [json, quiet, configFile, jobsDir],
    operands: '[JOB or NAMESPACE]…',
    examples: ['flwd test', 'flwd test backup/daily', 'flwd test --jobs ./jobs --json'],
  },
  {
    name: 'sources',
    about: 'list the sources, how many jobs and invalid jobs each has, and what an untrusted source may use',
    options: onInstance(),
    instead: {
      add: 'name the folder under `sources` in flwd.yaml, and restart the server',
      remove: 'take it out of `sources` in flwd.yaml, and restart the server',
      pull: 'update the folder, as with git pull; the server notices the changes',
      discover: 'flwd jobs --source NAME lists the jobs of a source',
    },
  },
  {
    name: 'sources list',
    about: 'the same as flwd sources',
    options: onInstance(),
  },
  {
    name: 'sources get',
    about: 'show one source',
    options: onInstance(),
    operands: 'SOURCE',
  },
  {
    name: 'sources reload',
    about: 'have the server read its sources again now, including those with watch: false',
    options: onInstance(),
    operands: '[SOURCE]',
  },
  {
    name: 'schedules',
    about: 'list schedules and their next times',
    options: onInstance({ name: 'job', value: 'JOB', about: 'schedules of this job' }, tenant),
    instead: {
      list: 'flwd schedules lists the schedules',
      show: 'flwd schedules --job JOB lists the schedules of a job',
      next: 'flwd schedules lists the schedules with their next times',
      enable: 'flwd schedules release SCHEDULE releases a schedule that was held',
      disable: 'flwd schedules hold SCHEDULE holds a schedule until it is released',
      delete: 'flwd schedules rm SCHEDULE removes a schedule',
    },
  },
  {
    name: 'schedules add',
    about: 'run a job on a schedule, and print the id of the schedule',
    options: onInstance(
      {
        name: 'cron',
        value: 'PATTERN',
        about: "when to start runs: a cron pattern, such as '0 3 * * *', or a word, such as @daily or @boot",
      },
      {
        name: 'at',
        value: 'TIME',
        about: 'start one run at this time (RFC 3339), such as 2026-12-01T09:00:00+01:00, instead of --cron',
      },
      {
        name: 'calendar',
        value: 'DAY',
        isRepeatable: true,
        about: 'start runs only on these days: a date, such as 2026-12-24, or a calendar of flwd.yaml; repeatable',
      },
      {
        name: 'except',
        value: 'DAY',
        isRepeatable: true,
        about: 'start no runs on these days: a date, or a calendar of flwd.yaml; repeatable',
      },
      {
        name: 'timezone',
        value: 'ZONE',
        about: 'the time zone of the pattern, such as Europe/Berlin; default: the time zone of the instance',
      },
      {
        name: 'catch-up',
        value: 'WHICH',
        choices: catchUps,
        about: 'which runs to start later if flwd was down at their times: `none`, `last` or `all`; default: `none`',
      },
      { name: 'jitter', value: 'TIME', about: 'start each run later by a random time of up to TIME, such as 30s' },
      { name: 'name', value: 'NAME', about: 'a name for the schedule' },
      { name: 'heartbeat', value: 'URL', about: 'call this address after each success of a run of the schedule' },
      { name: 'heartbeat-secret', value: 'NAME', about: 'like --heartbeat, but the address is in this stored secret' },
      { name: 'next', value: 'N', about: 'print the next N times, and do not create the schedule' },
      ...wholeArguments('options override it'),
      { ...label, about: 'add a label to each run of the schedule; repeatable' },
      tenant,
    ),
    operands: 'JOB [--ARGUMENT VALUE]…',
    argumentsOf: 'job',
    examples: ["flwd schedules add backup/daily --cron '0 3 * * *' --timezone Europe/Berlin --target /srv"],
  },
  {
    name: 'schedules run',
    about:
      'run a schedule’s job now, with the schedule’s arguments, and print the output; its next times do not change',
    options: onInstance(idempotencyKey, detach),
    operands: 'SCHEDULE',
  },
  {
    name: 'schedules rm',
    about: 'remove a schedule, unless it is in a config.yaml; its runs remain',
    options: onInstance(),
    operands: 'SCHEDULE',
  },
  {
    name: 'schedules hold',
    about: 'hold a schedule, also one in a config.yaml: it starts no runs until you release it',
    options: onInstance(),
    operands: 'SCHEDULE',
  },
  {
    name: 'schedules pause',
    about: 'pause all schedules: they start no runs until they are resumed, and do not catch up on missed times',
    options: onInstance(allSchedules, tenant),
  },
  {
    name: 'schedules resume',
    about: 'resume paused schedules: they start runs again at their next times',
    options: onInstance(allSchedules, tenant),
  },
  {
    name: 'schedules release',
    about: 'release a held schedule: it starts runs again at its next time',
    options: onInstance({
      name: 'after',
      value: 'TIME',
      about: `start runs only for times after this moment: ${instantForms}; default: now`,
    }),
    operands: 'SCHEDULE',
  },
  {
    name: 'backfill',
    about: 'start the runs that a schedule of a job would have started between two times, oldest first',
    options: onInstance(
      {
        name: 'schedule',
        value: 'SCHEDULE',
        about: 'the id or name of the schedule; not needed if the job has only one',
      },
      {
        name: 'from',
        value: 'TIME',
        about: `the first time: ${instantForms}`,
      },
      {
        name: 'until',
        value: 'TIME',
        about: 'start runs only for times before this day or time; default: now',
      },
      { name: 'at-once', value: 'N', about: 'how many of the runs may wait or run at the same time; default: 1' },
      { name: 'dry-run', about: 'print the times that would get a run, and start nothing' },
    ),
    operands: 'JOB',
    examples: ['flwd backfill reports/daily --from 2026-11-02 --until 2026-11-09 --dry-run'],
  },
  {
    name: 'backfills',
    about: 'list backfills, and how many runs each has started',
    options: onInstance(
      { name: 'job', value: 'JOB', about: 'backfills of this job' },
      { name: 'schedule', value: 'SCHEDULE', about: 'backfills of the schedule with this id or name' },
      {
        name: 'status',
        value: 'STATUS',
        choices: backfillStatuses,
        about: `backfills in this state: ${backfillStatuses.join(', ')}`,
      },
      limit,
      tenant,
    ),
  },
  {
    name: 'backfills cancel',
    about: 'cancel a backfill: it starts no more runs; the runs that it has started continue',
    options: onInstance(),
    operands: 'BACKFILL',
  },
  {
    name: 'webhooks',
    about: 'list webhooks with their addresses and their last delivery',
    options: onInstance({ name: 'job', value: 'JOB', about: 'webhooks of this job' }, tenant),
  },
  {
    name: 'webhooks add',
    about: 'create a webhook for a job, and print its address, which is not shown again',
    options: onInstance(
      { name: 'name', value: 'NAME', about: 'a name for the webhook; default: hook- and the end of its id' },
      {
        name: 'scheme',
        value: 'SCHEME',
        choices: webhookSchemes,
        about: `how the service signs: ${webhookSchemes.join(', ')}; default: token, which needs no signature: everybody who knows the address can start the job`,
      },
      {
        name: 'secret',
        value: 'NAME',
        isRepeatable: true,
        about: 'the stored secret with which the service signs; repeatable: while you replace a secret, name both',
      },
      { name: 'header', value: 'NAME', about: 'the header of the signature, for --scheme hmac' },
      { name: 'if', value: 'EXPRESSION', about: 'start a run only if this is true, such as body.action == "opened"' },
      {
        name: 'arg',
        value: 'NAME=EXPRESSION',
        isRepeatable: true,
        about: 'the value of an argument, such as ref=body.ref; repeatable',
      },
      {
        name: 'read-header',
        value: 'NAME',
        isRepeatable: true,
        about: 'let the expressions read this header; repeatable',
      },
      { name: 'wait', value: 'TIME', about: 'answer when the run has ended, after at most TIME, such as 8s' },
      {
        name: 'per-minute',
        value: 'N',
        about:
          'how many deliveries the webhook accepts in a minute; default: 10 with the scheme token, otherwise no limit',
      },
      tenant,
    ),
    operands: 'JOB',
    examples: [
      'flwd webhooks add site/deploy --arg ref=body.ref',
      'flwd webhooks add site/deploy --scheme github --secret github-push --arg ref=body.ref',
    ],
  },
  {
    name: 'webhooks rm',
    about: 'remove a webhook and its deliveries, unless it is in a config.yaml; its runs remain',
    options: onInstance(),
    operands: 'WEBHOOK',
  },
  {
    name: 'webhooks test',
    about: 'show what a delivery would do: its arguments, or why it would be refused; starts nothing',
    options: onInstance(
      { name: 'body', value: 'FILE', about: 'the JSON of the body; - reads it from standard input' },
      { name: 'event', value: 'EVENT', about: 'the kind of event, such as push' },
      { name: 'header', value: 'NAME=VALUE', isRepeatable: true, about: 'a header of the delivery; repeatable' },
      { name: 'query', value: 'NAME=VALUE', isRepeatable: true, about: 'a parameter of the address; repeatable' },
    ),
    operands: 'WEBHOOK',
    examples: ['flwd webhooks test site/deploy/push --event push --body push.json'],
  },
  {
    name: 'webhooks deliveries',
    about: 'list the last 100 deliveries of a webhook, newest first',
    options: onInstance(),
    operands: 'WEBHOOK',
    examples: ['flwd webhooks deliveries site/deploy/push'],
  },
  {
    name: 'webhooks replay',
    about: 'start a run with the arguments of an earlier delivery, and print the output',
    options: onInstance(idempotencyKey, detach),
    operands: 'WEBHOOK DELIVERY',
  },
  {
    name: 'triggers',
    about: 'list triggers and their last results; a trigger follows another job, files or a check',
    options: onInstance({ name: 'job', value: 'JOB', about: 'triggers that start this job' }),
  },
  {
    name: 'triggers results',
    about: 'list the last 100 results of a trigger, newest first',
    options: onInstance(),
    operands: 'TRIGGER',
  },
  {
    name: 'tui',
    about: 'browse, start and watch jobs and runs in the terminal; ? shows the keys',
    options: instance,
  },
  {
    name: 'mcp',
    about:
      'serve the jobs to an AI agent as tools, over MCP on standard input and output; the agent’s client starts this command',
    options: [
      {
        name: 'scopes',
        value: 'A,B',
        choices: agentScopes,
        about: `what the agent may do, at most what you may; default: ${usualAgentScopes.join(',')}`,
      },
      ...instance,
    ],
    examples: ['flwd mcp --scopes jobs:read,runs:read', 'flwd mcp --remote production'],
  },
  {
    name: 'mcp config',
    about: 'print the configuration with which an MCP client starts flwd mcp: for claude, cursor or vscode',
    options: [
      {
        name: 'scopes',
        value: 'A,B',
        choices: agentScopes,
        about: 'the --scopes with which the client starts flwd mcp',
      },
      ...instance,
    ],
    operands: 'CLIENT',
    examples: ['flwd mcp config claude > .mcp.json'],
  },
] as const satisfies readonly Command[];
