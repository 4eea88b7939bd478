// The sequence of a Rundeck job as steps. A reference such as `${option.env}` or `@option.env@` becomes a variable.

import { shellWord } from '../../../lib/shell-word.ts';
import type { FoundCommand, FoundStep } from '../found-job.ts';
import { attempt, Unreadable } from '../obstacles.ts';
import { isMembers, isYes, listOf, type Members, membersOf, textOf } from './import-file.ts';
import { type NamedArgument, variableLines, wordOf, wordsIn } from './other-arguments.ts';
import type { Options } from './rundeck-options.ts';
import { fileName, interpreterOf, isShell } from './script-interpreter.ts';
import { type Replacement, replaceReferences } from './shell-references.ts';

/** A job of the same file, which a step may start. */
export type Target = {
  readonly name: string;
  readonly uuid: string | undefined;
  readonly options: Options;
};

type Job = Target & { readonly targets: readonly Target[]; readonly obstacles: string[] };
type Steps = { readonly steps: readonly FoundStep[]; readonly notes: readonly string[] };

export function readCommands(sequence: Members, job: Job): Steps {
  const commands = listOf(sequence.commands).filter(isMembers).map(builtIn);
  if (commands.length === 0) job.obstacles.push('it has no steps');
  const strategy = textOf(sequence.strategy) ?? 'node-first';
  if (!['node-first', 'step-first', 'sequential', 'parallel'].includes(strategy))
    job.obstacles.push(`its workflow strategy ${strategy} has no counterpart`);
  const isParallel = strategy === 'parallel';
  let before: string[] = [];
  const steps = commands.flatMap((command, at) => {
    const id = `step-${at + 1}`;
    const needs = isParallel || before.length === 0 ? {} : { needs: before };
    const goesOn = isYes(sequence.keepgoing) && !isParallel && before.length > 0 ? { always: true } : {};
    const found = stepsOf(command, { id, job, settings: { ...named(command), ...needs, ...goesOn } });
    before = found.map((step) => step.id);
    return found;
  });
  return { steps, notes: commands.flatMap((command, at) => notesOf(command, at + 1)) };
}

/** Rundeck also writes its own kinds of steps as plugins. */
function builtIn(command: Members): Members {
  const { type, configuration, ...rest } = command;
  const given = membersOf(configuration);
  const { adhocRemoteString, adhocLocalString, adhocFilepath, argString = null, ...others } = given;
  const shared = { ...others, ...rest, args: argString };
  if (type === 'exec-command' || type === 'builtin-command') return { ...rest, exec: adhocRemoteString ?? null };
  if (type === 'localexec') return { ...rest, exec: given.command ?? null };
  if (type === 'script-command') return { ...shared, script: adhocLocalString ?? null };
  if (type === 'script-file-command') return { ...shared, scriptfile: adhocFilepath ?? null };
  return command;
}

function named(command: Members): { readonly name?: string } {
  const description = textOf(command.description)?.trim() ?? '';
  return description === '' ? {} : { name: description.slice(0, 200) };
}

type Place = { readonly id: string; readonly job: Job; readonly settings: Readonly<Record<string, unknown>> };

/** Returns the step and its error handler, which runs if the step has failed. */
function stepsOf(command: Members, { id, job, settings }: Place): FoundStep[] {
  const handler = isMembers(command.errorhandler) ? builtIn(command.errorhandler) : undefined;
  const step = attempt(job.obstacles, () => stepOf(command, { id, job, settings }));
  if (!handler) return step ? [step] : [];
  const goesOn = isYes(handler.keepgoingOnSuccess);
  const of = { needs: [id], always: true, if: `steps["${id}"].status == "failed"` };
  const after = attempt(job.obstacles, () =>
    stepOf(handler, { id: `${id}-handler`, job, settings: { ...named(handler), ...of } }),
  );
  return step && after
    ? [{ ...step, settings: { ...step.settings, ...(goesOn && { continue_on_error: true }) } }, after]
    : [];
}

function stepOf(command: Members, place: Place): FoundStep {
  const { id, settings, job } = place;
  if (isMembers(command.jobref)) return { id, ...subRunOf(command.jobref, id, job), settings };
  return { id, command: commandOf(command, place), settings };
}

function commandOf(command: Members, { id, job }: Place): FoundCommand {
  const { options, obstacles } = job;
  const line = textOf(command.exec);
  if (line !== undefined) {
    const text = inShell(line, dollarReference, id, job);
    return {
      file: `${id}.sh`,
      text: `${text.trimEnd()}\n`,
      interpreter: ['/bin/sh'],
      isShell: true,
      setup: variableLines(options.all),
    };
  }
  const args = wordsIn(textOf(command.args) ?? '').flatMap(
    (word) => attempt(obstacles, () => argumentWord(word, id, job)) ?? [],
  );
  const given = interpreterWords(command, id, job);
  const setup = [...variableLines(options.all), ...jobLines, ...(args.length > 0 ? [`set -- ${args.join(' ')}`] : [])];
  const path = textOf(command.scriptfile);
  if (path !== undefined) {
    if (!path.startsWith('/')) obstacles.push(`${id} runs the script \`${path}\`, which is not a path on this machine`);
    const words = [...given, path].map(shellWord).join(' ');
    return { file: `${id}.sh`, text: `${words} "$@"\n`, interpreter: ['/bin/sh'], isShell: true, setup };
  }
  const script = textOf(command.script);
  if (script === undefined) throw new Unreadable(`${id} ${kindOf(command)}`);
  const interpreter = given.length > 0 ? given : interpreterOf(script, ['/bin/bash']);
  const shell = isShell(interpreter);
  if (!shell && atReference.test(script))
    obstacles.push(
      `${id} is a script for ${interpreter.join(' ')} that contains \`${atReference.exec(script)?.[0]}\`: let it read ${variableOf(script)} from its environment instead`,
    );
  const text = (shell ? inShell(script, atReference, id, job) : script).replaceAll('\r\n', '\n');
  return { file: fileName(id, interpreter), text: `${text.trimEnd()}\n`, interpreter, isShell: shell, setup };
}

const jobLines = ['RD_JOB_EXECID=$FLWD_RUN_ID; export RD_JOB_EXECID'];
const dollarReference = /\$\{(unquotedoption|option|job|node|globals|data|export|session|execution|file)\.([^}]*)\}/;
const atReference = /@(unquotedoption|option|job|node|globals|data|export|session|execution|file)\.([^@\s]*)@/;

function variableOf(script: string): string {
  const [, kind, name = ''] = atReference.exec(script) ?? [];
  return kind === 'option' ? `RD_OPTION_${name.replaceAll(/[^A-Za-z0-9]/g, '_').toUpperCase()}` : 'the value';
}

function inShell(script: string, pattern: RegExp, id: string, job: Job): string {
  const replaced = replaceReferences(script, new RegExp(pattern, 'g'), ([, kind = '', name = '']) =>
    replacementOf(kind, name, job),
  );
  job.obstacles.push(...replaced.problems.map((problem) => `${id}: ${problem}`));
  return replaced.text;
}

function replacementOf(kind: string, name: string, { options }: Job): Replacement {
  const option = options.all.find(({ written }) => written === name);
  if (kind === 'option' || kind === 'unquotedoption') {
    if (option) return { variable: option.variable, isSplit: kind === 'unquotedoption' || option.isWords === true };
    return { problem: `it uses the option ${name}, which the job does not have` };
  }
  if (kind === 'job' && name === 'execid') return { variable: 'FLWD_RUN_ID' };
  return { problem: `it uses \`${kind}.${name}\`, a value of Rundeck that flwd does not know` };
}

/** Writes an argument of a script as a word for the shell. Rundeck does not pass arguments through a shell. */
function argumentWord(word: string, id: string, job: Job): string {
  const parts: (string | { readonly variable: string })[] = [];
  let at = 0;
  for (const match of word.matchAll(new RegExp(dollarReference, 'g'))) {
    const by = replacementOf(match[1] ?? '', match[2] ?? '', job);
    if ('problem' in by) throw new Unreadable(`${id}: ${by.problem}`);
    parts.push(word.slice(at, match.index), by);
    at = match.index + match[0].length;
  }
  return wordOf([...parts, word.slice(at)]);
}

function interpreterWords(command: Members, id: string, { obstacles }: Job): string[] {
  const words = wordsIn(textOf(command.scriptInterpreter) ?? '');
  if (dollarReference.test(words.join(' ')) || words.includes('${scriptfile}'))
    obstacles.push(`the interpreter of ${id} contains a reference`);
  if (/^(?:\S*\/)?(?:sudo|su|doas|runuser)$/.test(words[0] ?? ''))
    obstacles.push(`${id} becomes another user with ${words[0]}, which a job cannot do`);
  if (words.length > 0 && isYes(command.interpreterArgsQuoted))
    obstacles.push(`the interpreter of ${id} takes its script and arguments as one word`);
  return words;
}

function kindOf(command: Members): string {
  if (command.scripturl !== undefined) return 'runs a script from an address';
  return command.type === undefined
    ? 'is of a kind that flwd does not know'
    : `is a step of the plugin ${textOf(command.type)}, which flwd does not have`;
}

/** Returns a step that runs a job of the same file. Its arguments are expressions. */
function subRunOf(
  reference: Members,
  id: string,
  job: Job,
): { readonly job: string; readonly args: Record<string, unknown> } {
  const group = textOf(reference.group) ?? '';
  const name = `${group === '' ? '' : `${group}/`}${(textOf(reference.name) ?? '').replaceAll('/', '-')}`;
  const uuid = textOf(reference.uuid);
  const target =
    job.targets.find((one) => uuid !== undefined && one.uuid === uuid) ?? job.targets.find((one) => one.name === name);
  if (!target) throw new Unreadable(`${id} starts the job ${name}, which is not in the file`);
  if (target.name === job.name) throw new Unreadable(`${id} starts its own job`);
  const filter = textOf(membersOf(reference.nodefilters).filter);
  if (filter !== undefined) job.obstacles.push(`${id} starts the job ${name} on the nodes \`${filter}\``);
  const args: Record<string, unknown> = {};
  const words = wordsIn(textOf(reference.args) ?? '');
  for (let at = 0; at < words.length; at += 2) {
    const [flag = '', value = ''] = words.slice(at, at + 2);
    const option = target.options.all.find(({ written }) => `-${written}` === flag);
    if (!option) {
      job.obstacles.push(`${id} gives ${name} the argument ${flag}, which it does not take`);
      continue;
    }
    const isSecret = option.argument.secretVariable !== undefined;
    args[option.argument.name] = attempt(job.obstacles, () => argumentValue(value, id, { job, isSecret }));
  }
  return { job: target.name, args };
}

function argumentValue(
  text: string,
  id: string,
  { job, isSecret }: { readonly job: Job; readonly isSecret: boolean },
): unknown {
  const parts = text.split(new RegExp(dollarReference));
  if (parts.length === 1) {
    if (isSecret) throw new Unreadable(`${id} has a password in its arguments`);
    return text;
  }
  const words: string[] = [];
  for (let at = 0; at < parts.length; at += 3) {
    if (parts[at] !== '') words.push(JSON.stringify(parts[at]));
    if (at + 1 >= parts.length) continue;
    const option = job.options.all.find(({ written }) => written === parts[at + 2]);
    if (!parts[at + 1]?.endsWith('option') || !option)
      throw new Unreadable(`${id} uses \`${parts[at + 1]}.${parts[at + 2]}\``);
    words.push(expressionOf(option));
  }
  return { from: words.join(' + ') };
}

function expressionOf({ argument: { name, isRequired, schema, secretVariable } }: NamedArgument): string {
  const isSet = isRequired || schema.default !== undefined || secretVariable !== undefined;
  return isSet ? `args.${name}` : `(has(args.${name}) ? args.${name} : "")`;
}

function notesOf(command: Members, number: number): string[] {
  const text = [command.exec, command.script].flatMap((one) => textOf(one) ?? []).join('\n');
  const variables = [...new Set([...text.matchAll(/\bRD_(?!OPTION_|JOB_EXECID)\w+/g)].map(([name]) => name))];
  return [
    ...variables.map((name) => `step ${number} names ${name}, a variable of Rundeck that flwd does not set`),
    ...(isMembers(command.plugins) ? [`the log filters of step ${number} were not carried over`] : []),
  ];
}
