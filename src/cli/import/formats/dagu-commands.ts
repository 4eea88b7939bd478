// Builds the command of a Dagu step, with the lines that set its variables, its folder and its outputs. Version 1 of
// Dagu writes a command as `command`, `script` and `executor`, version 2 as `run` and `action`.

import { shellWord } from '../../../lib/shell-word.ts';
import type { FoundCommand } from '../found-job.ts';
import { attempt, Unreadable } from '../obstacles.ts';
import { daguMembers } from './dagu-keys.ts';
import { expanding, exported, unknownNames, variablesOf } from './dagu-values.ts';
import type { Around, Raw } from './dagu-workflow.ts';
import { isMembers, listOf, type Members, textOf } from './import-file.ts';
import { wordsIn } from './other-arguments.ts';
import { fileName, interpreterOf, isShell } from './script-interpreter.ts';
import { replaceReferences } from './shell-references.ts';

type Place = {
  readonly id: string;
  readonly written: string;
  readonly around: Around;
  readonly outputs: { readonly lines: string[]; readonly names: string[] };
};

/** @throws Unreadable */
export function commandOf(step: Members, place: Place): FoundCommand {
  const { id, written, around, outputs } = place;
  assertLocal(step, written);
  const shell = wordsIn(
    textOf(step.shell) ?? textOf(daguMembers(step.with).shell) ?? textOf(around.workflow.shell) ?? '',
  );
  if (/(?:pwsh|powershell|cmd|nix-shell|direct)(?:\.exe)?$/i.test(shell[0] ?? ''))
    around.obstacles.push(`its step ${written} is for the shell ${shell[0]}`);
  const { text: body, interpreter } = bodyOf(step, {
    written,
    shell: shell.length > 0 ? shell : ['/bin/sh', '-e'],
    around,
  });
  const isSh = isShell(interpreter);
  const own = variablesOf(step.env);
  const known = new Set([...around.values.names, ...outputs.names, ...own.map(([name]) => name)]);
  const text = isSh ? resolved(body, written, around) : body;
  if (!isSh && /\$\{\{?\s*(?:params|env|steps|consts)\./.test(body))
    around.obstacles.push(
      `its step ${written} is a script for ${interpreter.join(' ')} with references that only Dagu resolves`,
    );
  const unknown = isSh ? unknownNames(text, new Set([...known, ...assignedIn(text)])) : [];
  for (const name of unknown)
    around.notes.push(
      `its step ${written} reads ${name}, which the workflow does not set: perhaps Dagu took it from its own environment`,
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
      ...ownLines(step, around),
      ...folderLines(step, around),
      ...(output === undefined ? [] : keepOutput(output)),
    ],
  };
}

export function ownLines(step: Members, { obstacles }: Pick<Around, 'obstacles'>): string[] {
  return variablesOf(step.env).flatMap(([name, value]) => attempt(obstacles, () => exported(name, value)) ?? []);
}

export function folderLines(step: Members, { workflow, obstacles }: Pick<Around, 'workflow' | 'obstacles'>): string[] {
  const folder = textOf(step.workingDir) ?? textOf(step.dir) ?? textOf(workflow.workingDir);
  const path = folder?.replace(/^~(?=\/|$)/, '$HOME');
  return path === undefined ? [] : (attempt(obstacles, () => [`cd ${expanding(path)} || exit 1`]) ?? []);
}

/** Prints the output of the program once it has ended. If it succeeded, later steps get the output, too. */
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
  { written, shell, around }: { readonly written: string; readonly shell: readonly string[]; readonly around: Around },
): { readonly text: string; readonly interpreter: readonly string[] } {
  const command = step.action === 'exec' ? undefined : (step.command ?? step.run);
  const script = textOf(step.script)?.replaceAll('\r\n', '\n');
  const wordsOf = (words: readonly string[]): string =>
    ended(words.flatMap((word) => attempt(around.obstacles, () => expanding(word)) ?? []).join(' '));
  if (step.action === 'exec') {
    const { command: program, args } = daguMembers(step.with);
    const words = [program ?? null, ...listOf(args)].map((word) => textOf(word) ?? '');
    return { text: wordsOf(words), interpreter: ['/bin/sh', '-e'] };
  }
  if (script !== undefined) {
    const program = wordsIn(textOf(command) ?? '');
    return { text: ended(script), interpreter: program.length > 0 ? program : interpreterOf(script, shell) };
  }
  if (Array.isArray(command)) {
    const words = listOf(command).map((word) => textOf(word) ?? '');
    if (step.run !== undefined || isSeveral(words)) {
      // Dagu runs one command after the other, and stops at the first that fails.
      const lines = isShell(shell) ? ['set -e', ...words] : words;
      return { text: ended(lines.join('\n')), interpreter: shell };
    }
    if (words.length > 1 && !words.some((word) => word.startsWith('-')))
      around.notes.push(
        `the \`command\` of its step ${written} is a list: flwd runs it as one program with its arguments, but recent versions of Dagu run each entry as a command of its own`,
      );
    return { text: wordsOf(words), interpreter: shell };
  }
  const text = textOf(command)?.replaceAll('\r\n', '\n');
  if (text === undefined || text.trim() === '') throw new Unreadable(`its step ${written} has no command`);
  return { text: ended(text), interpreter: interpreterOf(text, shell) };
}

/**
 * Whether a list under `command` is several commands. In the first versions of Dagu it is a program with its arguments,
 * in recent ones each entry is a command. The name of a program has no blanks.
 */
function isSeveral([program = '']: readonly string[]): boolean {
  return /\s/.test(program);
}

function ended(text: string): string {
  return `${text.trimEnd()}\n`;
}

/** Replaces `${params.name}` and `${env.NAME}` of version 2 with plain variables. */
function resolved(body: string, written: string, { values, obstacles }: Around): string {
  const replaced = replaceReferences(
    body,
    /\$\{\{?\s*([\w-]+)\.([\w.[\]-]+)\s*\}?\}/g,
    ([whole, namespace = '', name = '']) => {
      if ((namespace === 'params' || namespace === 'env') && values.names.has(name)) return { variable: name };
      return { problem: `it uses \`${whole}\`, a reference that only Dagu can resolve` };
    },
  );
  obstacles.push(...replaced.problems.map((problem) => `its step ${written}: ${problem}`));
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

/** Lines that set the outputs of earlier steps as variables, with the names that they have in Dagu. */
export function outputsBefore(
  { needs }: Raw,
  all: readonly Raw[],
): { readonly lines: string[]; readonly names: string[] } {
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

/** Returns undefined if the step has no output, or one whose name is not valid. */
export function outputOf(step: Members): string | undefined {
  if (typeof step.output !== 'string') return undefined;
  const name = step.output.replace(/^\$/, '');
  return /^[A-Za-z_]\w*$/.test(name) ? name : undefined;
}
