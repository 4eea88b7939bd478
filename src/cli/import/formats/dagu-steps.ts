// The steps of a Dagu workflow, of version 1 (`command`, `script`, `executor`) and 2 (`run`, `action`).

import { shellWord } from '../../../lib/shell-word.ts';
import type { FoundCommand, FoundStep } from '../found-job.ts';
import { daguMembers } from './dagu-keys.ts';
import { type Condition, checkOfAll, withPreconditions } from './dagu-preconditions.ts';
import { type DaguValues, expanding, unknownNames, variablesOf } from './dagu-values.ts';
import { countOf, type Data, inSeconds, isMembers, isYes, listOf, type Members, textOf } from './import-file.ts';
import { type NamedArgument, wordsIn } from './other-arguments.ts';
import { fileName, interpreterOf, isShell } from './script-interpreter.ts';
import { replaceReferences } from './shell-references.ts';
import { Unreadable } from './unreadable.ts';

/** Another workflow that a step may run. */
export type SubWorkflow = { readonly name: string; readonly arguments: readonly NamedArgument[] };

export type Around = {
  readonly workflow: Members;
  readonly values: DaguValues;
  readonly findWorkflow: (name: string) => SubWorkflow | undefined;
  readonly notes: string[];
};

type Raw = { readonly step: Members; readonly written: string; readonly id: string; readonly needs: readonly string[] };

const stepLimit = 500;

export function readDaguSteps(around: Around): FoundStep[] {
  const { workflow, notes } = around;
  const raw = orderOf(workflow, notes);
  if (raw.length === 0) throw new Unreadable('it has no steps');
  if (raw.length > stepLimit) throw new Unreadable(`it has more than ${stepLimit} steps`);
  const steps = raw.map((one) => stepOf(one, around, outputsBefore(one, raw)));
  const without = raw.filter(({ step }) => goesOn(step, ['skipped'])).map(({ id }) => id);
  return [...withPreconditions(steps, conditionsOf(around, raw), new Set(without)), ...handlersOf(around, raw)];
}

type Named = Omit<Raw, 'needs'> & {
  /** Undefined: the step does not say what it depends on. */
  readonly depends: readonly string[] | undefined;
  /** Steps with the same number are written as one list, and start together. */
  readonly group: number;
  readonly isGrouped: boolean;
};

function conditionsOf(around: Around, raw: readonly Raw[]): Condition[] {
  const { workflow, values } = around;
  const ofAll = {
    id: undefined,
    data: preconditionsOf(workflow),
    setup: [...values.setup, ...folderLines({}, workflow)],
  };
  const ofSteps = raw.map((one) => ({
    id: one.id,
    data: preconditionsOf(one.step),
    setup: [
      ...values.setup,
      ...outputsBefore(one, raw).lines,
      ...ownLines(one.step),
      ...folderLines(one.step, workflow),
    ],
  }));
  return [ofAll, ...ofSteps].flatMap(({ data, ...rest }) => (data === undefined ? [] : [{ ...rest, data }]));
}

/** Undefined if it has no conditions. */
function preconditionsOf({ preconditions, precondition }: Members): Data | undefined {
  const given = preconditions ?? precondition ?? null;
  return given === null || (Array.isArray(given) && given.length === 0) ? undefined : given;
}

/** Gives each step its id and the ids of those that it follows. */
function orderOf(workflow: Members, notes: string[]): Raw[] {
  const type = textOf(workflow.type);
  if (type !== undefined && type !== 'graph' && type !== 'chain') throw new Unreadable(`its type is ${type}`);
  const steps = stepsIn(workflow.steps);
  const chain = withNeeds(steps, true);
  const graph = withNeeds(steps, false);
  if (type !== undefined) return type === 'graph' ? graph : chain;
  // Versions of Dagu differ in what they do without a type.
  const isClear = chain.every(({ needs }, at) => needs.join() === graph[at]?.needs.join());
  const order = isCircular(chain) ? graph : chain;
  if (!isClear)
    notes.push(
      order === chain
        ? 'its file has no `type`: as in `type: chain`, a step without `depends` follows the step before it; remove its `needs` to start it at once'
        : 'its file has no `type`: as in `type: graph`, a step without `depends` starts at once',
    );
  return order;
}

function stepsIn(data: Data | undefined): Named[] {
  const given = isMembers(data)
    ? Object.entries(data).map(([name, step]): Data => ({ name, ...(isMembers(step) ? step : { command: step }) }))
    : listOf(data);
  const ids = new Map<string, string>();
  const steps: Named[] = [];
  for (const [group, entry] of given.entries()) {
    for (const one of Array.isArray(entry) ? listOf(entry) : [entry]) {
      const step = isMembers(one) ? daguMembers(one) : { command: one };
      const written = textOf(step.name) ?? textOf(step.id) ?? `step ${steps.length + 1}`;
      const id = idFor(written, new Set(ids.values()));
      for (const name of [textOf(step.id), written, id]) if (name !== undefined) ids.set(name, id);
      const depends =
        step.depends === undefined ? undefined : [step.depends].flat().flatMap((name) => textOf(name) ?? []);
      steps.push({ step, written, id, depends, group, isGrouped: Array.isArray(entry) });
    }
  }
  return steps.map((one) => ({ ...one, depends: one.depends?.map((name) => ids.get(name) ?? name) }));
}

function withNeeds(steps: readonly Named[], isChain: boolean): Raw[] {
  return steps.map(({ step, written, id, depends, group, isGrouped }) => {
    const before = steps.filter((other) => other.group === group - 1).map((other) => other.id);
    return { step, written, id, needs: depends ?? (isChain || isGrouped ? before : []) };
  });
}

function isCircular(steps: readonly Raw[]): boolean {
  const left = new Set(steps.map(({ id }) => id));
  const isFree = ({ id, needs }: Raw): boolean => left.has(id) && !needs.some((need) => left.has(need));
  for (let free = steps.filter(isFree); free.length > 0; free = steps.filter(isFree))
    for (const { id } of free) left.delete(id);
  return left.size > 0;
}

function idFor(written: string, taken: ReadonlySet<string>): string {
  const wanted =
    written
      .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
      .replaceAll(/^[^A-Za-z0-9]+|-+$/g, '')
      .slice(0, 50) || 'step';
  let id = wanted;
  for (let n = 2; taken.has(id); n++) id = `${wanted}-${n}`;
  return id;
}

/** Lines that give a step the outputs of the steps before it, under the names that Dagu gives them. */
function outputsBefore({ needs }: Raw, all: readonly Raw[]): { readonly lines: string[]; readonly names: string[] } {
  const seen = new Set<string>();
  const look = (ids: readonly string[]): void => {
    for (const one of all.filter(({ id }) => ids.includes(id) && !seen.has(id))) {
      seen.add(one.id);
      look(one.needs);
    }
  };
  look(needs);
  const found = all.filter(({ id, step }) => seen.has(id) && outputOf(step) !== undefined);
  return {
    names: found.map(({ step }) => outputOf(step) ?? ''),
    lines: found.map(
      ({ id, step }) =>
        `${outputOf(step)}=$FLWD_STEP_${id.toUpperCase().replaceAll('-', '_')}_${outputOf(step)?.toUpperCase()}; export ${outputOf(step)}`,
    ),
  };
}

function outputOf(step: Members): string | undefined {
  if (typeof step.output !== 'string') return undefined;
  const name = step.output.replace(/^\$/, '');
  if (!/^[A-Za-z_]\w*$/.test(name))
    throw new Unreadable(`the output \`${name}\` of a step is not a valid name for a variable`);
  return name;
}

const refused: readonly (readonly [string, string])[] = [
  ['repeatPolicy', 'is repeated'],
  ['container', 'runs in a container'],
  ['approval', 'waits for an approval in Dagu’s own way'],
  ['foreach', 'runs steps of its own'],
  ['routes', 'chooses between steps'],
  ['messages', 'asks a language model'],
];

function stepOf(raw: Raw, around: Around, outputs: { readonly lines: string[]; readonly names: string[] }): FoundStep {
  const { id, written, needs } = raw;
  const step = { ...daguMembers(around.workflow.defaults), ...raw.step };
  const reason = refused.find(([key]) => step[key] !== undefined)?.[1];
  if (reason !== undefined) throw new Unreadable(`its step ${written} ${reason}`);
  if (isMembers(step.output)) throw new Unreadable(`its step ${written} publishes outputs that only Dagu reads`);
  around.notes.push(...notesOf(step, written));
  const settings = {
    ...(written === id ? {} : { name: written.slice(0, 200) }),
    ...(needs.length > 0 && { needs }),
    ...settingsOf(step),
  };
  const sub = subRunOf(step, written, around);
  if (sub) return { id, ...sub.step, settings: { ...settings, ...sub.settings } };
  if (step.parallel !== undefined) throw new Unreadable(`its step ${written} is \`parallel\` without another workflow`);
  return { id, command: commandOf(step, { id, written, around, outputs }), settings };
}

/** `continueOn: {failure: true}`, or `continue_on: failed`. */
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
      ? [`the pauses between retries of its step ${written} double, and did not in Dagu`]
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
      : [`its step ${written} asked for a worker with labels: flwd runs it on the machine of its server`]),
  ];
}

type Place = {
  readonly id: string;
  readonly written: string;
  readonly around: Around;
  readonly outputs: { readonly lines: string[]; readonly names: string[] };
};

function commandOf(step: Members, place: Place): FoundCommand {
  const { id, written, around, outputs } = place;
  assertLocal(step, written);
  const shell = wordsIn(
    textOf(step.shell) ?? textOf(daguMembers(step.with).shell) ?? textOf(around.workflow.shell) ?? '',
  );
  if (/(?:pwsh|powershell|cmd|nix-shell|direct)(?:\.exe)?$/i.test(shell[0] ?? ''))
    throw new Unreadable(`its step ${written} is for the shell ${shell[0]}`);
  const { text: body, interpreter } = bodyOf(step, written, shell.length > 0 ? shell : ['/bin/sh', '-e']);
  const isSh = isShell(interpreter);
  const own = variablesOf(step.env);
  const known = new Set([...around.values.names, ...outputs.names, ...own.map(([name]) => name)]);
  const text = isSh ? resolved(body, written, around) : body;
  if (!isSh && /\$\{\{?\s*(?:params|env|steps|consts)\./.test(body))
    throw new Unreadable(
      `its step ${written} is a script for ${interpreter.join(' ')} with references that only Dagu resolves`,
    );
  const unknown = isSh ? unknownNames(text, new Set([...known, ...assignedIn(text)])) : [];
  for (const name of unknown)
    around.notes.push(
      `its step ${written} reads ${name}, which nothing here sets: Dagu took it from its own environment, perhaps`,
    );
  const output = outputOf(step);
  return {
    file: fileName(id, interpreter),
    text,
    interpreter,
    isShell: isSh,
    setup: [
      ...around.values.setup,
      ...outputs.lines,
      ...daguVariables(text, around),
      ...ownLines(step),
      ...folderLines(step, around.workflow),
      ...(output === undefined ? [] : keepOutput(output)),
    ],
  };
}

function ownLines(step: Members): string[] {
  return variablesOf(step.env).map(([name, value]) => `${name}=${expanding(value)}; export ${name}`);
}

function folderLines(step: Members, workflow: Members): string[] {
  const folder = textOf(step.workingDir) ?? textOf(step.dir) ?? textOf(workflow.workingDir);
  return folder === undefined ? [] : [`cd ${expanding(folder.replace(/^~(?=\/|$)/, '$HOME'))}`];
}

/** Hands what the program prints to later steps, if it succeeds, and prints it when it has ended. */
function keepOutput(name: string): string[] {
  return [
    '_printed=$(mktemp)',
    'exec 3>&1 > "$_printed"',
    'keep_output() {',
    '  _status=$?',
    '  exec >&3',
    '  cat "$_printed"',
    `  [ "$_status" != 0 ] || printf '${name}<<end_of_${name}\n%s\nend_of_${name}\n' "$(cat "$_printed")" >> "$FLWD_OUTPUT_FILE"`,
    '  rm -f "$_printed"',
    '  exit "$_status"',
    '}',
    'trap keep_output EXIT',
  ];
}

/** Only programs on Dagu's own machine can become steps. */
function assertLocal(step: Members, written: string): void {
  const { executor, action, type } = step;
  const kind =
    textOf(isMembers(executor) ? executor.type : executor) ??
    textOf(type) ??
    (action === 'exec' ? undefined : textOf(action));
  if (kind !== undefined && !['shell', 'command', 'sh', 'bash'].includes(kind))
    throw new Unreadable(`its step ${written} is of the kind ${kind}, which flwd does not have`);
}

function bodyOf(
  step: Members,
  written: string,
  shell: readonly string[],
): { readonly text: string; readonly interpreter: readonly string[] } {
  const command = step.action === 'exec' ? undefined : (step.command ?? step.run);
  const script = textOf(step.script)?.replaceAll('\r\n', '\n');
  if (step.action === 'exec') {
    const { command: program, args } = daguMembers(step.with);
    const words = [program ?? null, ...listOf(args)].map((word) => textOf(word) ?? '');
    return { text: ended(words.map(expanding).join(' ')), interpreter: ['/bin/sh', '-e'] };
  }
  if (script !== undefined) {
    const program = wordsIn(textOf(command) ?? '');
    return { text: ended(script), interpreter: program.length > 0 ? program : interpreterOf(script, shell) };
  }
  if (Array.isArray(command)) {
    const words = listOf(command).map((word) => textOf(word) ?? '');
    // In version 1 a list is a program with its arguments, in version 2 several commands.
    const isProgram = step.run === undefined && words.every((word) => !/\s/.test(word));
    return { text: ended(isProgram ? words.map(expanding).join(' ') : words.join('\n')), interpreter: shell };
  }
  const text = textOf(command)?.replaceAll('\r\n', '\n');
  if (text === undefined || text.trim() === '') throw new Unreadable(`its step ${written} has no command`);
  return { text: ended(text), interpreter: interpreterOf(text, shell) };
}

function ended(text: string): string {
  return `${text.trimEnd()}\n`;
}

/** `${params.name}` and `${env.NAME}` of version 2 are plain variables. */
function resolved(body: string, written: string, { values }: Around): string {
  const replaced = replaceReferences(
    body,
    /\$\{\{?\s*([\w-]+)\.([\w.[\]-]+)\s*\}?\}/g,
    ([whole, namespace = '', name = '']) => {
      if ((namespace === 'params' || namespace === 'env') && values.names.has(name)) return { variable: name };
      return { problem: `it uses \`${whole}\`, a reference that only Dagu can resolve` };
    },
  );
  if ('problem' in replaced) throw new Unreadable(`its step ${written}: ${replaced.problem}`);
  return replaced.text;
}

function assignedIn(text: string): string[] {
  return [
    ...text.matchAll(/(?<![\w$])([A-Za-z_]\w*)=|\bfor\s+([A-Za-z_]\w*)\b|\bread\s+(?:-\w+\s+)*([A-Za-z_]\w*)/g),
  ].map(([, a, b, c]) => a ?? b ?? c ?? '');
}

function daguVariables(text: string, { workflow, notes }: Around): string[] {
  const known: Readonly<Record<string, string>> = {
    DAG_NAME: shellWord(textOf(workflow.name) ?? ''),
    DAG_RUN_ID: '$FLWD_RUN_ID',
    DAG_RUN_STEP_NAME: '$FLWD_STEP_ID',
  };
  return [...new Set(text.match(/\bDAG_(?:NAME|RUN_\w+)\b/g) ?? [])].flatMap((name) => {
    const value = known[name];
    if (value === undefined) notes.push(`it reads ${name}, a variable of Dagu that flwd does not set`);
    return value === undefined ? [] : [`${name}=${value}; export ${name}`];
  });
}

type SubRun = {
  readonly step: { readonly job: string; readonly args: Record<string, unknown> };
  readonly settings: Readonly<Record<string, unknown>>;
};

function subRunOf(step: Members, written: string, around: Around): SubRun | undefined {
  const isAction = step.action === 'dag.run';
  const inputs = isAction ? daguMembers(step.with) : step;
  const target = textOf(
    isAction
      ? inputs.dag
      : (step.call ?? (step.command === undefined && step.script === undefined ? step.run : undefined)),
  );
  const isSure = isAction || step.call !== undefined;
  const found = target === undefined ? undefined : around.findWorkflow(target.replace(/\.ya?ml$/, ''));
  if (!found && isSure)
    throw new Unreadable(`its step ${written} runs the workflow ${target}, which is not in the folder`);
  if (!found) return undefined;
  const items = isMembers(step.parallel) ? step.parallel.items : step.parallel;
  const texts = listOf(items).map((item) => textOf(item));
  if (step.parallel !== undefined && (texts.length === 0 || texts.includes(undefined)))
    throw new Unreadable(`its step ${written} runs the workflow ${found.name} for items that are not plain texts`);
  const args: Record<string, unknown> = {};
  const pairs: [string, string][] =
    typeof inputs.params === 'string'
      ? wordsIn(inputs.params).map((word) => [word.split('=')[0] ?? '', word.slice(word.indexOf('=') + 1)])
      : variablesOf(inputs.params);
  for (const [name, value] of pairs) {
    const argument = found.arguments.find((one) => one.written === name)?.argument;
    if (!argument)
      throw new Unreadable(`its step ${written} gives ${found.name} the parameter ${name}, which it does not have`);
    args[argument.name] = subArgument(value, { around, written, hasItem: step.parallel !== undefined });
  }
  return {
    step: { job: found.name, args },
    settings: step.parallel === undefined ? {} : { foreach: JSON.stringify(texts) },
  };
}

function subArgument(
  value: string,
  o: { readonly around: Around; readonly written: string; readonly hasItem: boolean },
): unknown {
  if (!/[$`]/.test(value)) return value;
  const [, name = ''] = /^\$\{?(?:params\.)?(\w+)\}?$/.exec(value) ?? [];
  if (name === 'ITEM' && o.hasItem) return { from: 'item' };
  const own = o.around.values.arguments.find(({ variable }) => variable === name)?.argument;
  if (own && own.schema.default !== undefined) return { from: `args.${own.name}` };
  throw new Unreadable(`its step ${o.written} computes a parameter for another workflow: \`${value}\``);
}

const handlerNames = ['init', 'success', 'failure', 'exit', 'cancel', 'abort', 'wait'];

/** Handlers are steps that come last, depending on how the others ended. */
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
    if (main.includes(id)) throw new Unreadable(`its step ${id} has the name of a handler`);
    const step = isMembers(handler) ? daguMembers(handler) : { command: handler };
    const outputs = outputsBefore({ step, id, written: id, needs: main }, raw);
    const found = stepOf({ step, id, written: id, needs: [] }, around, outputs);
    return [{ ...found, settings: { ...found.settings, ...settings } }];
  });
}
