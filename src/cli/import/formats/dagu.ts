// Reads a folder with workflows of Dagu (versions 1.14 to 2.7). Each file contains a workflow, and after it the
// workflows that only this workflow uses.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { formatDuration } from '../../../lib/units.ts';
import { Refusal } from '../../exit-code.ts';
import type { Found, FoundCommand, FoundStep, Origin } from '../found-job.ts';
import { attempt } from '../obstacles.ts';
import { daguMembers } from './dagu-keys.ts';
import { readDaguSchedules } from './dagu-schedule.ts';
import { readDaguSteps } from './dagu-steps.ts';
import { readDaguValues } from './dagu-values.ts';
import type { SubWorkflow } from './dagu-workflow.ts';
import {
  countOf,
  type Data,
  isMembers,
  isYes,
  listOf,
  type Members,
  readText,
  readYaml,
  textOf,
} from './import-file.ts';
import { withoutDoubles } from './other-arguments.ts';
import { listOf as filesIn } from './unit-file.ts';

const mostFiles = 1_000;

type Workflow = { readonly name: string; readonly file: string; readonly members: Members; readonly origin: Origin };

/** @throws Refusal */
export function findDaguWorkflows(folder: string): Found[] {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat?.isFile()) throw new Refusal(`${folder} is a file: name its folder`);
  if (!stat?.isDirectory()) throw new Refusal(`there is no folder ${folder}`);
  const files = filesIn(folder).filter((name) => /\.ya?ml$/.test(name));
  if (files.length === 0) throw new Refusal(`${folder} has no workflows of Dagu: they are files that end in .yaml`);
  if (files.length > mostFiles) throw new Refusal(`${folder} has more than ${mostFiles} files`);
  const read = files.map((name) => workflowsIn(join(folder, name), name));
  const all = read.flatMap(({ found }) => found);
  const names = withoutDoubles(all.map(({ name }) => name));
  const workflows = all.map((workflow, at) => ({ ...workflow, name: names[at] ?? workflow.name }));
  return [
    ...read.flatMap(({ nothing }) => nothing),
    ...workflows.map((workflow) => foundOf(workflow, workflows, folder)),
  ];
}

function workflowsIn(path: string, file: string): { readonly found: Workflow[]; readonly nothing: Found[] } {
  const origin = (text: string): Origin => ({ kind: 'dagu', place: file, line: null, text });
  const nothing = (obstacle: string) => ({
    found: [],
    nothing: [{ kind: 'nothing', origin: origin(file), obstacles: [obstacle] } as const],
  });
  try {
    const text = readText(path);
    const documents = readYaml(text, path);
    if ('problem' in documents) return nothing(documents.problem);
    const stem = file.replace(/\.ya?ml$/, '');
    const maps = documents.filter(isMembers);
    if (maps.length === 0 || !maps.some((one) => one.steps !== undefined))
      return nothing('it has no steps, so it is not a workflow');
    return {
      nothing: [],
      found: maps.map((members, at) => {
        const own = textOf(members.name) ?? (at === 0 ? stem : `${stem}-${at + 1}`);
        const name = (at === 0 ? own : `${textOf(maps[0]?.name) ?? stem}/${own}`).replaceAll('..', '.');
        return { name, file, members: daguMembers(members), origin: origin(textIn(name, daguMembers(members))) };
      }),
    };
  } catch (error) {
    if (error instanceof Refusal) return nothing(error.message);
    throw error;
  }
}

/**
 * Returns the name, schedule, values and commands of the workflow as one text. A change of the text shows that one of
 * them has changed.
 */
function textIn(name: string, { schedule, params, env, steps }: Members): string {
  const commands = [steps].flat().flatMap((step): string[] => {
    if (!isMembers(step)) return [textOf(step) ?? ''];
    const { name: title, run, command, script, call } = step;
    return [title, run, command, script, call].flatMap((part) => [part].flat().flatMap((one) => textOf(one) ?? []));
  });
  const values = [params, env].flatMap((data) => (typeof data === 'string' ? [data] : pairsIn(data)));
  return [name, ...(schedule === undefined ? [] : [JSON.stringify(schedule)]), ...values, ...commands].join('\n');
}

function pairsIn(data: Data | undefined): string[] {
  return [data]
    .flat()
    .flatMap((entry) =>
      isMembers(entry)
        ? Object.entries(entry).map(([key, value]) => `${key}=${textOf(value) ?? ''}`)
        : (textOf(entry) ?? []),
    );
}

const refused = ['container', 'ssh', 'kubernetes', 'llm', 'harness', 'actions', 'stepTypes', 'consts'];

function foundOf(workflow: Workflow, all: readonly Workflow[], folder: string): Found {
  const { members, name, origin } = workflow;
  const notes: string[] = [];
  const obstacles = refused
    .filter((key) => members[key] !== undefined)
    .map((key) => `it has \`${key}\`, which flwd does not have`);
  const values = readDaguValues(members, obstacles);
  const findWorkflow = (wanted: string) => otherWorkflow(wanted, workflow, all);
  const around = { workflow: { ...members, name }, values, findWorkflow, notes, obstacles };
  const steps = attempt(obstacles, () => readDaguSteps(around)) ?? [];
  if (obstacles.length > 0) return { kind: 'nothing', origin, obstacles };
  const catchUp = members.catchupWindow === undefined ? {} : { catch_up: 'all' };
  const times = readDaguSchedules(members.schedule, catchUp);
  return {
    kind: 'job',
    name,
    description: textOf(members.description),
    origin,
    program: programOf(steps),
    environment: values.environment,
    schedules: times.schedules,
    user: null,
    home: null,
    arguments: values.arguments.map(({ argument }) => argument),
    settings: settingsOf(members),
    notes: [
      'it ran as the user of Dagu',
      ...folderNote(steps, members, folder),
      ...times.notes,
      ...notesOf(members),
      ...notes,
    ],
  };
}

/** Finds a workflow that a step of `workflow` names. */
function otherWorkflow(wanted: string, workflow: Workflow, all: readonly Workflow[]): SubWorkflow | undefined {
  const target = all
    .filter((one) => one !== workflow && (one.file === workflow.file || !one.name.includes('/')))
    .find(
      (one) => one.name === wanted || one.name.endsWith(`/${wanted}`) || one.file.replace(/\.ya?ml$/, '') === wanted,
    );
  if (!target) return undefined;
  // Its own obstacles are reported with it.
  const { arguments: named, first } = readDaguValues(target.members, []);
  return { name: target.name, arguments: named, first };
}

function programOf(steps: readonly FoundStep[]): FoundCommand | readonly FoundStep[] {
  const [first] = steps;
  const isPlain = first?.command && Object.keys(first.settings).every((key) => key === 'name');
  return steps.length === 1 && isPlain ? first.command : steps;
}

/** If a workflow names no folder, Dagu starts it in the folder of its file. */
function folderNote(steps: readonly FoundStep[], members: Members, folder: string): string[] {
  const isRelative = steps.some(
    ({ command }) =>
      !command?.setup?.some((line) => line.startsWith('cd ')) &&
      /(?:^|[\s"'=])\.{0,2}[\w-]*\/?[\w/-]+\.(?:sh|py|js|rb|pl|sql|yaml|json|csv|txt)\b/m.test(command?.text ?? ''),
  );
  return members.workingDir === undefined && isRelative
    ? [
        `Dagu started it in ${folder}, and a job starts in an empty folder: copy its files into the job's folder and call them as $FLWD_JOB_DIR/NAME`,
      ]
    : [];
}

function settingsOf(members: Members): Readonly<Record<string, unknown>> {
  const timeout = countOf(members.timeoutSec);
  const tags = tagsOf(members.tags ?? members.labels);
  const isUnlimited = textOf(members.maxActiveRuns)?.startsWith('-') === true;
  return {
    ...(tags.length > 0 && { tags }),
    ...(timeout !== undefined && { timeouts: { run: formatDuration(timeout * 1_000) } }),
    ...(!isUnlimited && { concurrency: { limit: countOf(members.maxActiveRuns) ?? 1, on_conflict: 'queue' } }),
  };
}

function tagsOf(data: Data | undefined): string[] {
  const entries =
    typeof data === 'string'
      ? data.split(',')
      : isMembers(data)
        ? Object.entries(data).map(([key, value]) => `${key}=${textOf(value) ?? ''}`)
        : listOf(data);
  return [...new Set(entries.map((tag) => textOf(tag)?.trim() ?? '').filter((tag) => tag !== ''))];
}

const lost: readonly (readonly [string, string])[] = [
  ['dotenv', 'its variables are not known here: write them under `env`, and passwords with `flwd secrets set`'],
  ['mailOn', 'see `notify` in jobs.md'],
  ['smtp', 'see `notify` in jobs.md'],
  ['delaySec', 'see `jitter` of a schedule in jobs.md'],
  ['skipIfSuccessful', 'each time starts a run'],
  ['retryPolicy', 'see `retry` in jobs.md'],
  ['restartPolicy', 'a run that ends is not started again'],
  ['queue', 'see `concurrency` in jobs.md'],
  ['workerSelector', 'flwd runs it on the machine of the flwd server'],
  ['logDir', 'flwd keeps the log of each run'],
  ['catchupWindow', 'flwd catches up with the 100 latest times, however long ago'],
];

function notesOf(members: Members): string[] {
  return lost.flatMap(([key, instead]) => {
    const value = members[key];
    const isNothing =
      value === undefined ||
      value === null ||
      value === 0 ||
      value === false ||
      (Array.isArray(value) && value.length === 0);
    const isMail = key === 'mailOn' && !Object.values(daguMembers(value)).some(isYes);
    return isNothing || isMail ? [] : [`\`${key}\` was not carried over: ${instead}`];
  });
}
