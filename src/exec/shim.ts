// The command that starts the shim of an attempt, for the fork server: exactly the job's environment, and its secrets at
// descriptors (ADR 0003, ADR 0008).

import { totalmem } from 'node:os';
import { join } from 'node:path';
import { makeAttemptFiles } from './attempt-files.ts';
import { makeGroups } from './attempt-groups.ts';
import type { AttemptSpec } from './attempt-spec.ts';
import { commandWords } from './command-words.ts';
import { attemptEnvironment } from './environment.ts';
import type { OpenGrant } from './granted-paths.ts';
import { rlimitWords } from './rlimits.ts';
import { hasFilter, libexecDir, sandboxCommand } from './sandbox.ts';

/** libexec/shim.sh has 0 to 5 for itself. */
const filterFd = 6;
const blockFd = 7;
const firstFreeFd = 8;
/** Where nothing limits a run's memory, what it keeps in memory as files is limited all the same. */
const shareOfHostBytes = Math.floor(totalmem() / 4);
const shimPath = join(libexecDir, 'shim.sh');

/** Makes the attempt's files, too. @throws what the system says where they cannot be written */
export function shimCommand(spec: AttemptSpec, grants: readonly OpenGrant[]): string {
  const places = makeAttemptFiles(spec);
  if (spec.limits) makeGroups(spec.attemptDir, spec.limits);
  const secretFds = [...spec.secrets.keys()].map((name, index) => ({ name, fd: firstFreeFd + index }));
  const isGuarded = grants.length > 0;
  const command = sandboxCommand({
    ...spec,
    ...places,
    grants,
    scratchBytes: spec.limits?.resources.memoryBytes ?? shareOfHostBytes,
    filterFd,
    blockFd: isGuarded ? blockFd : null,
    secretFds,
    argv: [...rlimitWords(spec.limits), ...commandWords(spec.action)],
  });
  const environment = Object.entries(attemptEnvironment(spec)).map(([name, value]) => `${name}=${value}`);
  assertFits([...environment, ...command, spec.attemptDir]);
  return [
    // `$filter` is of libexec/fork-server.bash. Where it cannot be opened, bwrap refuses to go on.
    ...(hasFilter(spec.profile) ? [`exec ${filterFd}<"$filter"`] : []),
    // `guard` is of libexec/fork-server.bash. Open both ways it has no end, at which bwrap would go on, should `guard` be killed.
    ...(isGuarded
      ? [
          'shim=$BASHPID',
          `exec ${blockFd}< <(guard ${quote(spec.attemptDir)} "$shim")`,
          `exec ${blockFd}<>/proc/self/fd/${blockFd}`,
        ]
      : []),
    // A core has what the script had in memory, secrets too, and would lie in its workspace.
    ...(spec.profile === 'disabled' ? [] : ['ulimit -c 0']),
    // A pipe that a subshell writes to: a secret is never in an argument or on a disk.
    ...secretFds.map(({ name, fd }) => `exec ${fd}< <(printf %s ${quote(spec.secrets.get(name) ?? '')})`),
    ...Object.entries(attemptEnvironment(spec)).map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec /bin/sh ${quote(shimPath)} "$number" ${[spec.attemptDir, ...command].map(quote).join(' ')}`,
  ].join('\n');
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
