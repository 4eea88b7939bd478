// Builds the start order: the shell code with which the fork server starts the shim of an attempt. The job gets exactly
// the variables that the start order lists, and its secrets through file descriptors (ADR 0003, ADR 0008).

import { mkdirSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { CommandAction, UlcProfile } from '../../domain/command-action.ts';
import { findProgram } from '../host/host-programs.ts';
import { atMostOwn } from '../host/own-limit.ts';
import type { OpenGrant } from '../sandbox/granted-paths.ts';
import { bwrapPath, hasFilter, hasOwnTmp, sandboxedCommand, sandboxOptions } from '../sandbox/sandbox.ts';
import { placesOf, type ScriptPlaces } from '../script-places.ts';
import { makeAttemptFiles } from './attempt-files.ts';
import { type AttemptLimits, type LimitedSpec, makeGroups } from './attempt-groups.ts';
import { attemptEnvironment, type Variable } from './environment.ts';

/** The numbers of descriptors. libexec/shim.bash uses 0 to 7, 9 and 10 itself. */
const filterFd = 8;
const blockFd = 9;
const firstFreeFd = 11;
/** The size limit of each folder in memory, such as /tmp, for a run without a memory limit. */
const shareOfHostBytes = Math.floor(totalmem() / 4);

/** Bash uses this descriptor while it opens another one. */
const bashFd = 63;
/** How many variables bwrap sets at most. It accepts 9,000 words, and each variable takes three. */
const mostToldVariables = 1_000;

/**
 * Two pieces of bash. `hidden` contains the secrets. Only the attempt's shim reads it: if the fork server read it, each
 * later fork would have a copy of it.
 */
export type Order = { readonly open: string; readonly hidden: string };

/**
 * Builds the start order for the fork server, and creates the attempt's files.
 * @throws the system's error if they cannot be written
 */
export function shimOrder(spec: LimitedSpec, grants: readonly OpenGrant[]): Order {
  const places = makeAttemptFiles(spec);
  if (spec.limits) makeGroups(spec.attemptDir, spec.limits);
  const own = commandWords(spec.action, placesOf(spec));
  const words = [...rlimitWords(spec.limits, spec.isSandboxed), ...own];
  if (!spec.isSandboxed) return unsandboxedOrder(spec, words, own[0]);
  const secretFds = [...spec.secrets.keys()].map((name, index) => ({ name, fd: secretFd(index) }));
  const isGuarded = grants.length > 0;
  const hasTmp = hasOwnTmp(spec.profile);
  const sandbox = {
    ...spec,
    ...places,
    grants,
    scratchBytes: spec.limits?.resources.memoryBytes ?? shareOfHostBytes,
    filterFd,
    blockFd: isGuarded || hasTmp ? blockFd : null,
    secretFds,
    argv: words,
  };
  const variables = attemptEnvironment(spec);
  const command = sandboxedCommand(sandbox);
  assertFits([...variables.map(({ name, value }) => `${name}=${value}`), ...command]);
  const told = variables.filter(({ isPrivate }) => !isPrivate).slice(0, mostToldVariables);
  const exported = variables.filter((variable) => !told.includes(variable));
  const options = [
    // Bash sets these two variables by itself, so they are removed.
    '--unsetenv',
    'SHLVL',
    '--unsetenv',
    '_',
    ...told.flatMap(({ name, value }) => ['--setenv', name, value]),
    ...sandboxOptions(sandbox),
  ];
  // The options are in a file that only bwrap reads. As words of a shell script, they would take longer than the rest
  // of a start.
  writeFileSync(join(spec.attemptDir, 'sandbox'), options.map((word) => `${word}\0`).join(''), { mode: 0o600 });
  const open = [
    `attempt_dir=${quote(spec.attemptDir)} is_guarded=${Number(isGuarded)} has_tmp=${Number(hasTmp)} workspace=`,
    `bwrap=${quote(bwrapPath())} command=(${command.map(quote).join(' ')})`,
    // libexec/fork-server.bash sets `$filter`. If the file is missing, a new server has removed it. That server then
    // starts the attempt again.
    ...(hasFilter(spec.profile) ? [`exec ${filterFd}<"$filter" || exit`] : []),
    // A core dump would contain the script's memory, including secrets, and would be written to its workspace.
    spec.profile === 'disabled' ? 'may_dump=1' : 'ulimit -c 0',
  ];
  const hidden = [
    // A subshell writes the secret to a pipe, so that it is never in an argument or on a disk.
    ...secretFds.map(
      ({ name, fd }) => `exec ${fd}< <(exec 4>&- 5>&-; printf %s ${quote(spec.secrets.get(name) ?? '')})`,
    ),
    ...(exported.length > 0 ? [exportOf(exported)] : []),
  ];
  return { open: open.join('\n'), hidden: hidden.join('\n') };
}

/** Starts the script directly on the host, with its secrets in files of the attempt's folder (ADR 0031). */
function unsandboxedOrder(spec: LimitedSpec, command: readonly string[], program = ''): Order {
  const variables = attemptEnvironment(spec);
  assertFits([...variables.map(({ name, value }) => `${name}=${value}`), ...command]);
  const { secrets } = placesOf(spec);
  mkdirSync(secrets, { mode: 0o700 });
  for (const [name, value] of spec.secrets) writeFileSync(join(secrets, name), value, { mode: 0o400 });
  const open = [
    `attempt_dir=${quote(spec.attemptDir)} is_guarded=0 has_tmp=0 workspace=${quote(spec.workspaceDir)} may_dump=1`,
    `program=${quote(program)} command=(${command.map(quote).join(' ')})`,
  ];
  return { open: open.join('\n'), hidden: exportOf(variables) };
}

const interpreters: Readonly<Record<Exclude<UlcProfile, 'ulc.node'>, readonly string[]>> = {
  'ulc.shell.bash': ['bash'],
  'ulc.shell.pwsh': ['pwsh'],
  // Python does not buffer its output, so that a line is in the log as soon as it is printed.
  'ulc.python.3': ['python3', '-u'],
  'ulc.exec': [],
};

/** Returns the job's command with its interpreter. A word that begins with `./` is a file in the job's folder. */
function commandWords(
  { command, ulcProfile }: Pick<CommandAction, 'command' | 'ulcProfile'>,
  places: Pick<ScriptPlaces, 'job' | 'node'>,
): string[] {
  const words = command.map((word) => (word.startsWith('./') ? `${places.job}/${word.slice(2)}` : word));
  return [...(ulcProfile === 'ulc.node' ? [places.node] : interpreters[ulcProfile]), ...words];
}

/** The namespace's first process, which belongs to bwrap. */
const sandboxPids = 1;

/**
 * Returns the words before the job's command if there is no cgroup. They call prlimit of util-linux inside the sandbox,
 * so that only processes in the job's own user namespace count (ADR 0010).
 */
function rlimitWords(limits: AttemptLimits | null, isSandboxed: boolean): string[] {
  if (!limits) return [];
  const { resources, host } = limits;
  const options = [
    ...(host.memory.by === 'rlimit' && resources.memoryBytes !== null
      ? [`--as=${atMostOwn('Max address space', resources.memoryBytes)}`]
      : []),
    // Without its own user namespace, the limit would count every process of the user.
    ...(isSandboxed && host.pids.by === 'rlimit' && resources.pids !== null
      ? [`--nproc=${atMostOwn('Max processes', resources.pids + sandboxPids)}`]
      : []),
  ];
  return options.length === 0 ? [] : [findProgram('prlimit') ?? 'prlimit', ...options, '--'];
}

function exportOf(variables: readonly Variable[]): string {
  return `export_hidden() { export ${variables.map(({ name, value }) => `${name}=${quote(value)}`).join(' ')}; }`;
}

function secretFd(index: number): number {
  const fd = firstFreeFd + index;
  return fd < bashFd ? fd : fd + 1;
}

/**
 * Limits of execve(2): the length of one argument or variable, and the length of all together. The second is a quarter
 * of the usual stack, minus what the shim needs.
 */
const longestTextBytes = 128 * 1024;
const mostBytes = 2 * 1024 * 1024 - 4096;
const pointerBytes = 8;

function assertFits(texts: readonly string[]): void {
  const sizes = texts.map((text) => Buffer.byteLength(text) + 1);
  const bytes = sizes.reduce((sum, size) => sum + size + pointerBytes, 0);
  if (bytes > mostBytes || Math.max(...sizes) > longestTextBytes)
    throw Object.assign(new Error('more than a program can be started with'), { code: 'E2BIG' });
}

/** Quotes a text as one word for a shell. The text must not contain a NUL, and no text here does. */
function quote(text: string): string {
  return text.includes("'") ? `'${text.replaceAll("'", String.raw`'\''`)}'` : `'${text}'`;
}
