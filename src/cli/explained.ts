// Turns an error into the message that the user sees. Every error except a bug can be fixed by a user or an operator.

import { ApiProblem, ServerUnreachable } from '../client/api-problem.ts';
import { flagOf } from '../domain/argument-flags.ts';
import { Problem, type ProblemSlug } from '../domain/problem.ts';
import { DataDirOwned } from '../instance/owner-lock.ts';
import { isDiskFull } from '../lib/shortage.ts';
import { StartError } from '../lib/start-error.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { ownName } from './own-name.ts';

/** Turns an expected error into a Refusal. Any other error is a bug and is returned unchanged. */
export function explained(error: unknown): unknown {
  if (error instanceof ServerUnreachable) return new Refusal(error.message, exitCodes.unreachable);
  if (error instanceof DataDirOwned) return new Refusal(error.message, exitCodes.refused);
  if (isDiskFull(error)) return new Refusal(diskFull(error), exitCodes.refused);
  if (error instanceof StartError) return new Refusal(error.message);
  if (!(error instanceof ApiProblem || error instanceof Problem)) return error;
  return error.slug === 'internal-error' ? error : new Refusal(messageOf(error), exitCodeOf(error));
}

function diskFull(error: unknown): string {
  const path = error instanceof Error && 'path' in error ? String(error.path) : undefined;
  const what = 'the disk is full (no free bytes or inodes)';
  return `${path === undefined ? what : `cannot write ${path}: ${what}`}; free some space, or run ${ownName} gc`;
}

/** Problems that mean that the instance forbids a well-formed request. */
const forbidden: ReadonlySet<string> = new Set<ProblemSlug>(['profile-not-allowed', 'grant-not-allowed']);

function exitCodeOf({ slug, status }: ApiProblem | Problem): ExitCode {
  // As in `grep`, 1 means "not found", so that a script can tell a missing key from a missing instance.
  if (slug === 'kv-key-not-found') return exitCodes.runFailed;
  if (status === 401 || status === 403 || forbidden.has(slug)) return exitCodes.notAllowed;
  if (status === 404 || status === 410) return exitCodes.notFound;
  // A proxy answers with this status if it cannot reach its server.
  if (status === 502 || status === 504) return exitCodes.unreachable;
  // The code is not `refused`, because trying again does not help.
  if (slug.endsWith('-damaged')) return exitCodes.runFailed;
  const isForLater = status === 409 || status === 429 || status >= 500;
  return isForLater ? exitCodes.refused : exitCodes.wrongUse;
}

const mostErrors = 20;

/** One error per line. Each begins with the option that caused it. */
function messageOf({ message, members }: ApiProblem | Problem): string {
  const errors = errorsOf(members.errors);
  return errors.length === 0 ? message : toLines(errors.map(lineOf));
}

/** The server's errors about arguments of the job. */
export function argumentErrors(error: unknown): { readonly pointer: string; readonly line: string }[] {
  if (!(error instanceof ApiProblem)) return [];
  const errors = errorsOf(error.members.errors).filter(({ pointer }) => pointer.startsWith('/args/'));
  return errors.map((failure) => ({ pointer: failure.pointer, line: lineOf(failure) }));
}

export function toLines(lines: readonly string[]): string {
  const left = lines.length - mostErrors;
  return [...lines.slice(0, mostErrors), ...(left > 0 ? [`and ${left} more`] : [])].join('\n');
}

function lineOf({ pointer, message }: ValidationError): string {
  const option = optionOf(pointer);
  if (message.startsWith(`${option} `)) return message;
  // The message is a sentence of its own, such as `a secret must have …`, so a colon separates it from the option.
  if (/^(?:there|an?|the|no|unknown) /.test(message))
    return [option.replace(/\b$/, ':'), message].filter(Boolean).join(' ');
  // A message that says `is missing` repeats the name, which is removed.
  return [option, message.replace(/^`[^`]*` (?=is missing$)/, '')].filter(Boolean).join(' ');
}

type ValidationError = { readonly pointer: string; readonly message: string };

function errorsOf(errors: unknown): ValidationError[] {
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((error: unknown) => {
    if (typeof error !== 'object' || error === null || !('message' in error)) return [];
    const { message } = error;
    if ('pointer' in error) return [{ pointer: String(error.pointer), message: String(message) }];
    if (!('file' in error && 'line' in error && 'column' in error)) return [];
    const place = [error.file, error.line, error.column].map(String).join(':');
    return [{ pointer: '', message: `${place}: ${String(message)}` }];
  });
}

/** Maps the name of a request member to its name on the command line, where the two differ. */
const otherwise: Readonly<Record<string, string>> = {
  expires_in: '--expires',
  q: '--search',
  job_id: 'the job',
  labels: '--label',
  step_id: '--step',
  value: 'the value',
};

/** `/args/keep/days` of the request is `--keep.days` of the command line. */
function optionOf(pointer: string): string {
  if (!/^[/?]/.test(pointer)) return pointer;
  const [first = '', ...others] = pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (first === 'args') return others.length === 0 ? 'the arguments:' : flagOf({ path: others });
  return otherwise[first] ?? `--${first.replaceAll('_', '-')}`;
}
