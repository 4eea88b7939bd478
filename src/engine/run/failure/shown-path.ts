// The path that a line of an error names, and what the job sees of it. A hint says nothing about what the host has at a
// path, because the job's author may not be allowed to know.

import { posix } from 'node:path';
import type { FailedAttempt } from './failed-attempt.ts';

export type PathKind =
  /** In the workspace, or relative to it. */
  | 'workspace'
  | 'job'
  | 'granted'
  /** The job may read it, but not write to it. */
  | 'granted-to-read'
  /** The sandbox has its own file or folder here, or shows the host's. */
  | 'shown'
  /** Nothing of the host is shown here. */
  | 'hidden';

/** Names that are safe to repeat in a hint, which may be shown as Markdown. */
const plain = /^[\p{L}\p{N}\p{M} ./_@%+=:,~#-]{1,200}$/u;
/** The apostrophe in `can't` does not begin a path. */
const quoted = /(?<!\p{L})['"‘“]([^'"‘’“”]+)['"’”]/u;
const bare = /(?:^|[\s=(])((?:~|\.{0,2})\/[^\s:'"’”,;)]+|[\w-][\w.-]*\/[^\s:'"’”,;)]+)/u;
/** `wc: data.csv: No such file or directory`, or dash's `cannot open data.csv: No such file`. */
const named =
  /(?:^|: |cannot (?:open|create) )([^\s:'"‘’“”]+): (?:No such|Permission|Read-only|Cannot|Directory|Is a)/iu;

/** Returns undefined if the line names no path that a hint can repeat. */
export function pathIn(line: string): string | undefined {
  const path = quoted.exec(line)?.[1] ?? bare.exec(line)?.[1] ?? named.exec(line)?.[1];
  return path !== undefined && isPlain(path) ? path : undefined;
}

/** Whether a hint may repeat the path. */
export function isPlain(path: string): boolean {
  return plain.test(path) && !path.includes('redacted');
}

const ownOfSandbox = ['/tmp', '/dev', '/proc', '/run/flwd'];
const systemFolders = ['/usr', '/bin', '/lib', '/lib32', '/lib64', '/libx32', '/sbin'];

export function kindOfPath(
  path: string,
  { profile, read, write }: Pick<FailedAttempt['plan'], 'profile' | 'read' | 'write'>,
): PathKind {
  const whole = posix.resolve('/workspace', path);
  const isBelow = (roots: readonly string[]) => roots.some((root) => isWithin(whole, root));
  if (isBelow(write)) return 'granted';
  if (isBelow(read)) return 'granted-to-read';
  if (isBelow(['/workspace'])) return 'workspace';
  if (isBelow(['/job'])) return 'job';
  if (profile !== 'secure' || isBelow(ownOfSandbox) || isBelow(systemFolders)) return 'shown';
  return 'hidden';
}

function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root.replace(/\/$/, '')}/`);
}

/** Whether a folder is a home or as large as /etc or /var/log, so no job should be given it as a whole. */
export function isShared(folder: string): boolean {
  return /^\/(?:[^/]+|home\/[^/]+|var\/(?:cache|lib|local|log|mail|run|spool|tmp))$/.test(folder);
}

/** Writes the path as an entry of `permissions`. */
export function permission(kind: 'read' | 'write', path: string | undefined): string {
  return `\`permissions: {${kind}: [${path === undefined ? '…' : yamlOf(path)}]}\``;
}

/** Like `permission('read', path)`. If an argument is the path, or a folder above it, names the argument instead. */
export function permissionToRead(path: string, failed: FailedAttempt): string {
  const [name] = hiddenArguments(failed).find(([, value]) => isWithin(path, value)) ?? [];
  return name === undefined ? permission('read', path) : `\`permissions: {read: [{arg: ${yamlOf(name)}}]}\``;
}

/** The path in an argument, if the line repeats the path and the sandbox does not show it. */
export function argumentIn(line: string, failed: FailedAttempt): string | undefined {
  return hiddenArguments(failed).find(([, value]) => isPlain(value) && line.includes(value))?.[1];
}

/** The arguments that are full paths of something that the sandbox does not show. */
function hiddenArguments({ args, plan }: FailedAttempt): (readonly [name: string, value: string])[] {
  return Object.entries(args).flatMap(([name, value]) =>
    typeof value === 'string' && /^\/[^/]/.test(value) && kindOfPath(value, plan) === 'hidden' ? [[name, value]] : [],
  );
}

function yamlOf(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : JSON.stringify(word);
}
