// The steps of a Dagu workflow, its handlers and its preconditions.

import type { FoundStep } from '../found-job.ts';
import { attempt, Unreadable } from '../obstacles.ts';
import { commandOf, folderLines, outputOf, outputsBefore, ownLines } from './dagu-commands.ts';
import { daguMembers } from './dagu-keys.ts';
import { type Condition, checkOfAll, withPreconditions } from './dagu-preconditions.ts';
import { subRunOf } from './dagu-sub-runs.ts';
import { type Around, orderOf, type Raw } from './dagu-workflow.ts';
import { countOf, type Data, inSeconds, isMembers, isYes, listOf, type Members, textOf } from './import-file.ts';

const stepLimit = 500;

export function readDaguSteps(around: Around): FoundStep[] {
  const { obstacles } = around;
  const raw = orderOf(around);
  if (raw.length === 0) throw new Unreadable('it has no steps');
  if (raw.length > stepLimit) throw new Unreadable(`it has more than ${stepLimit} steps`);
  const steps = raw.flatMap((one) => stepOf(one, around, outputsBefore(one, raw)) ?? []);
  const optional = raw.filter(({ step }) => goesOn(step, ['skipped'])).map(({ id }) => id);
  const conditions = conditionsOf(around, raw);
  return [
    ...withPreconditions(steps, conditions, { optional: new Set(optional), obstacles }),
    ...handlersOf(around, raw),
  ];
}

function conditionsOf(around: Around, raw: readonly Raw[]): Condition[] {
  const { workflow, values } = around;
  const ofAll = {
    id: undefined,
    data: preconditionsOf(workflow),
    setup: [...values.setup, ...folderLines({}, around)],
  };
  const ofSteps = raw.map((one) => ({
    id: one.id,
    data: preconditionsOf(one.step),
    setup: [
      ...values.setup,
      ...outputsBefore(one, raw).lines,
      ...ownLines(one.step, around),
      ...folderLines(one.step, around),
    ],
  }));
  return [ofAll, ...ofSteps].flatMap(({ data, ...rest }) => (data === undefined ? [] : [{ ...rest, data }]));
}

/** Returns undefined if the workflow or the step has no conditions. */
function preconditionsOf({ preconditions, precondition }: Members): Data | undefined {
  const given = preconditions ?? precondition ?? null;
  return given === null || (Array.isArray(given) && given.length === 0) ? undefined : given;
}

const refused: readonly (readonly [string, string])[] = [
  ['repeatPolicy', 'is repeated'],
  ['container', 'runs in a container'],
];

/** Keys of steps that run no command. */
const otherKinds: typeof refused = [
  ['approval', 'waits for an approval in Dagu’s own way'],
  ['foreach', 'runs steps of its own'],
  ['routes', 'chooses between steps'],
  ['messages', 'asks a language model'],
];

/** Returns undefined if the step cannot be read. Its obstacles have been added. */
function stepOf(
  raw: Raw,
  around: Around,
  outputs: { readonly lines: string[]; readonly names: string[] },
): FoundStep | undefined {
  const { id, written, needs } = raw;
  const step = { ...daguMembers(around.workflow.defaults), ...raw.step };
  const { obstacles } = around;
  for (const [, reason] of [...refused, ...otherKinds].filter(([key]) => step[key] !== undefined))
    obstacles.push(`its step ${written} ${reason}`);
  if (otherKinds.some(([key]) => step[key] !== undefined)) return undefined;
  if (isMembers(step.output)) obstacles.push(`its step ${written} publishes outputs that only Dagu reads`);
  else if (outputOf(step) === undefined && (textOf(step.output) ?? '') !== '')
    obstacles.push(`the output \`${textOf(step.output)}\` of its step ${written} is not a valid name for a variable`);
  around.notes.push(...notesOf(step, written));
  const settings = {
    ...(written === id ? {} : { name: written.slice(0, 200) }),
    ...(needs.length > 0 && { needs }),
    ...settingsOf(step),
  };
  return attempt(obstacles, () => {
    const sub = subRunOf(step, written, around);
    if (sub) return { id, ...sub.step, settings: { ...settings, ...sub.settings } };
    if (step.parallel !== undefined) obstacles.push(`its step ${written} has \`parallel\` but runs no other workflow`);
    return { id, command: commandOf(step, { id, written, around, outputs }), settings };
  });
}

/** Whether the workflow continues after the step: `continueOn: {failure: true}`, or `continue_on: failed`. */
function goesOn({ continueOn }: Members, kinds: readonly string[]): boolean {
  const given = daguMembers(continueOn);
  return kinds.some((kind) => isYes(given[kind]) || [continueOn].flat().some((one) => textOf(one) === kind));
}

function settingsOf(step: Members): Readonly<Record<string, unknown>> {
  const retry = daguMembers(step.retryPolicy);
  const limit = countOf(retry.limit);
  const timeout = countOf(step.timeoutSec);
  const codes = listOf(retry.exitCode).flatMap((code) => countOf(code) ?? []);
  const longest = countOf(retry.maxIntervalSec);
  return {
    ...(limit !== undefined && {
      retry: {
        limit,
        backoff: retry.backoff === undefined || retry.backoff === false ? 'fixed' : 'exponential',
        delay: inSeconds(countOf(retry.intervalSec) ?? 0),
        ...(longest !== undefined && { max_delay: inSeconds(longest) }),
        ...(codes.length > 0 && { on: codes }),
      },
    }),
    ...(timeout !== undefined && { timeout: inSeconds(timeout) }),
    ...(goesOn(step, ['failed', 'failure']) && { continue_on_error: true }),
  };
}

function notesOf(step: Members, written: string): string[] {
  const on = daguMembers(step.continueOn);
  const others = ['exitCode', 'output', 'markSuccess'].filter((key) => on[key] !== undefined);
  const backoff = textOf(daguMembers(step.retryPolicy).backoff);
  return [
    ...(others.length > 0
      ? [`\`continueOn.${others.join('`, `continueOn.')}\` of its step ${written} was not carried over`]
      : []),
    ...(backoff !== undefined && !['true', 'false', '2'].includes(backoff)
      ? [`the pauses between retries of its step ${written} double in flwd; in Dagu, they did not`]
      : []),
    ...(['stdout', 'stderr'] as const).flatMap((key) =>
      step[key] === undefined ? [] : [`its step ${written} also wrote its ${key} to a file: flwd keeps it in the log`],
    ),
    ...(step.signalOnStop === undefined
      ? []
      : [`its step ${written} was stopped with ${textOf(step.signalOnStop)}: see \`cancel.signal\` in jobs.md`]),
    ...(isYes(step.mailOnError) ? [`its step ${written} sent a mail when it failed: see \`notify\` in jobs.md`] : []),
    ...(step.workerSelector === undefined
      ? []
      : [`its step ${written} asked for a worker with labels: flwd runs it on the machine of the flwd server`]),
  ];
}

const handlerNames = ['init', 'success', 'failure', 'exit', 'cancel', 'abort', 'wait'];

/** Turns handlers into steps. They come last, and run depending on how the other steps ended. */
function handlersOf(around: Around, raw: readonly Raw[]): FoundStep[] {
  const handlers = daguMembers(around.workflow.handlerOn);
  const main = raw.map(({ id }) => id);
  const anyFailed = raw
    .filter(({ step }) => settingsOf(step).continue_on_error === undefined)
    .map(({ id }) => `steps["${id}"].status == "failed"`)
    .join(' || ');
  const of: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    success: {
      needs: main,
      ...(preconditionsOf(around.workflow) !== undefined && { if: `steps["${checkOfAll}"].outputs.met == "yes"` }),
    },
    failure: { needs: main, always: true, if: anyFailed === '' ? 'false' : anyFailed },
    exit: {
      needs: [
        ...main,
        ...['success', 'failure'].filter((name) => handlers[name] !== undefined).map((name) => `on-${name}`),
      ],
      always: true,
    },
  };
  return handlerNames.flatMap((name): FoundStep[] => {
    const handler = handlers[name];
    if (handler === undefined || handler === null) return [];
    const settings = of[name];
    if (!settings) {
      around.notes.push(`its handler for ${name} was not carried over`);
      return [];
    }
    const id = `on-${name}`;
    if (main.includes(id)) around.obstacles.push(`its step ${id} has the name of a handler`);
    const step = isMembers(handler) ? daguMembers(handler) : { command: handler };
    const outputs = outputsBefore({ step, id, written: id, needs: main }, raw);
    const found = stepOf({ step, id, written: id, needs: [] }, around, outputs);
    return found ? [{ ...found, settings: { ...found.settings, ...settings } }] : [];
  });
}
