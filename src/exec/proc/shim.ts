// The order that starts the shim of an attempt, for the fork server: exactly the job's environment, and its secrets at
// descriptors (ADR 0003, ADR 0008).

import { mkdirSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { CommandAction, UlcProfile } from '../../domain/job.ts';
import { findProgram } from '../host/host-programs.ts';
import type { OpenGrant } from '../sandbox/granted-paths.ts';
import { bwrapPath, hasFilter, hasOwnTmp, sandboxedCommand, sandboxOptions } from '../sandbox/sandbox.ts';
import { placesOf, type ScriptPlaces } from '../script-places.ts';
import { makeAttemptFiles } from './attempt-files.ts';
import { type AttemptLimits, type LimitedSpec, makeGroups } from './attempt-groups.ts';
import { attemptEnvironment, type Variable } from './environment.ts';

/** libexec/shim.bash has 0 to 7 for itself, and 9 and 10. */
const filterFd = 8;
const blockFd = 9;
const firstFreeFd = 11;
/** Where nothing limits a run's memory, what it keeps in memory as files is limited all the same. */
const shareOfHostBytes = Math.floor(totalmem() / 4);

/** Bash has a use of its own for it while it opens another. */
const bashFd = 63;
/** Of those that bwrap sets: it takes 9,000 words in all, three for each. */
const mostToldVariables = 1_000;

/** Words of bash. `hidden` is read by the shim of the attempt alone: a fork of the fork server has whatever that has ever read. */
export type Order = { readonly open: string; readonly hidden: string };

/** Makes the attempt's files, too. @throws what the system says where they cannot be written */
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
    // What bash hands on by itself.
    '--unsetenv',
    'SHLVL',
    '--unsetenv',
    '_',
    ...told.flatMap(({ name, value }) => ['--setenv', name, value]),
    ...sandboxOptions(sandbox),
  ];
  // For bwrap alone to read: words cost a shell more than all else that a start takes of it.
  writeFileSync(join(spec.attemptDir, 'sandbox'), options.map((word) => `${word}\0`).join(''), { mode: 0o600 });
  const open = [
    `attempt_dir=${quote(spec.attemptDir)} is_guarded=${Number(isGuarded)} has_tmp=${Number(hasTmp)} workspace=`,
    `bwrap=${quote(bwrapPath())} command=(${command.map(quote).join(' ')})`,
    // `$filter` is of libexec/fork-server.bash. Where it cannot be opened, bwrap refuses to go on.
    ...(hasFilter(spec.profile) ? [`exec ${filterFd}<"$filter"`] : []),
    // A core has what the script had in memory, secrets too, and would lie in its workspace.
    spec.profile === 'disabled' ? 'may_dump=1' : 'ulimit -c 0',
  ];
  const hidden = [
    // A pipe that a subshell writes to: a secret is never in an argument or on a disk.
    ...secretFds.map(
      ({ name, fd }) => `exec ${fd}< <(exec 4>&- 5>&-; printf %s ${quote(spec.secrets.get(name) ?? '')})`,
    ),
    ...(exported.length > 0 ? [exportOf(exported)] : []),
  ];
  return { open: open.join('\n'), hidden: hidden.join('\n') };
}

/** The script is started on the host as it is, with its secrets in files of the attempt's folder (ADR 0031). */
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
  // Unbuffered, so that a line is in the log when it is printed.
  'ulc.python.3': ['python3', '-u'],
  'ulc.exec': [],
};

/** The job's command by its language: a word that begins with `./` is a file of the job's directory. */
function commandWords(
  { command, ulcProfile }: Pick<CommandAction, 'command' | 'ulcProfile'>,
  places: Pick<ScriptPlaces, 'job' | 'node'>,
): string[] {
  const words = command.map((word) => (word.startsWith('./') ? `${places.job}/${word.slice(2)}` : word));
  return [...(ulcProfile === 'ulc.node' ? [places.node] : interpreters[ulcProfile]), ...words];
}

/** The namespace's first process, which is bwrap's. */
const sandboxPids = 1;

/**
 * What comes before the job's command where there is no cgroup: util-linux's prlimit, inside the sandbox, so that the
 * count of processes is that of the job's own user namespace (ADR 0010).
 */
function rlimitWords(limits: AttemptLimits | null, isSandboxed: boolean): string[] {
  if (!limits) return [];
  const { resources, host } = limits;
  const options = [
    ...(host.memory.by === 'rlimit' && resources.memoryBytes !== null ? [`--as=${resources.memoryBytes}`] : []),
    // Without a user namespace of its own it would count every process of the user.
    ...(isSandboxed && host.pids.by === 'rlimit' && resources.pids !== null
      ? [`--nproc=${resources.pids + sandboxPids}`]
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

/** What a program can be started with (execve(2)): so much in one text, and in all a quarter of the usual stack, less what is the shim's. */
const longestTextBytes = 128 * 1024;
const mostBytes = 2 * 1024 * 1024 - 4096;
const pointerBytes = 8;

function assertFits(texts: readonly string[]): void {
  const sizes = texts.map((text) => Buffer.byteLength(text) + 1);
  const bytes = sizes.reduce((sum, size) => sum + size + pointerBytes, 0);
  if (bytes > mostBytes || Math.max(...sizes) > longestTextBytes)
    throw Object.assign(new Error('more than a program can be started with'), { code: 'E2BIG' });
}

/** One word to a shell, whatever is in it but a NUL, which nothing that comes here holds. */
function quote(text: string): string {
  return text.includes("'") ? `'${text.replaceAll("'", String.raw`'\''`)}'` : `'${text}'`;
}
