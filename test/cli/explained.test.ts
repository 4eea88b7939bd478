import { expect, test } from 'vitest';
import { exitCodes, Refusal } from '../../src/cli/exit-code.ts';
import { explained } from '../../src/cli/explained.ts';
import { ApiProblem, ServerUnreachable } from '../../src/client/api-problem.ts';
import { Problem, type ProblemSlug, problems } from '../../src/domain/problem.ts';
import { DataDirOwned } from '../../src/instance/owner-lock.ts';
import { StartError } from '../../src/lib/start-error.ts';

/** The exit codes that a calling script can distinguish. */
const codes: Readonly<Record<ProblemSlug, number>> = {
  'validation-error': 2,
  'malformed-request': 2,
  unauthenticated: 4,
  'permission-denied': 4,
  'source-untrusted': 4,
  'job-not-found': 3,
  'run-not-found': 3,
  'source-not-found': 3,
  'schedule-not-found': 3,
  'backfill-not-found': 3,
  'webhook-not-found': 3,
  'channel-not-found': 3,
  'trigger-not-found': 3,
  'trigger-chain-too-long': 6,
  'delivery-not-found': 3,
  'delivery-not-replayable': 6,
  'signature-invalid': 4,
  'secret-not-found': 3,
  'kv-key-not-found': 1,
  'token-not-found': 3,
  'artifact-not-found': 3,
  'job-file-not-found': 3,
  'not-found': 3,
  'method-not-allowed': 2,
  'run-already-finished': 6,
  'run-not-finished': 6,
  'workspace-expired': 6,
  'revision-expired': 6,
  'approval-not-pending': 6,
  'concurrency-conflict': 6,
  'kv-conflict': 6,
  'idempotency-conflict': 6,
  'idempotency-in-flight': 6,
  'source-managed': 6,
  'artifact-gone': 3,
  'events-expired': 3,
  'body-too-large': 2,
  'unsupported-media-type': 2,
  'range-not-satisfiable': 2,
  'job-invalid': 2,
  'not-supported-yet': 2,
  'secret-unavailable': 2,
  'isolation-unavailable': 2,
  'profile-not-allowed': 4,
  'grant-not-allowed': 4,
  'kv-full': 2,
  'queue-full': 6,
  'rate-limited': 6,
  'headers-too-large': 2,
  'execution-error': 6,
  'artifact-damaged': 1,
  'log-damaged': 1,
  'database-damaged': 1,
  'internal-error': 70,
  overloaded: 6,
  'not-ready': 6,
};

/** As in main.ts, every error that is not a Refusal is a bug. */
function codeOf(error: unknown): number {
  const known = explained(error);
  return known instanceof Refusal ? known.exitCode : exitCodes.bug;
}

test('every problem in the table has an exit code, whether a server or this process reports it', () => {
  const seen = Object.entries(problems).map(([slug, { status }]) => [
    slug,
    codeOf(new ApiProblem(status, { type: `https://flowd.org/problems/${slug}`, detail: 'x' })),
  ]);
  expect(Object.fromEntries(seen)).toEqual(codes);
  expect(codeOf(new Problem('grant-not-allowed', 'x'))).toBe(4);
  expect(codeOf(new Problem('job-not-found', 'x'))).toBe(3);
});

test('an answer without a problem document gets its exit code from its status', () => {
  expect(
    [400, 401, 403, 404, 410, 422, 429, 500, 502, 503, 504].map((status) => codeOf(new ApiProblem(status, {}))),
  ).toEqual([2, 4, 4, 3, 3, 2, 6, 6, 5, 6, 5]);
});

test('an unreachable server, a data dir in use and a start that the operator must fix have exit codes of their own', () => {
  expect(codeOf(new ServerUnreachable('http://127.0.0.1:1', new Error('refused')))).toBe(5);
  expect(codeOf(new DataDirOwned('/data', null))).toBe(6);
  expect(codeOf(new StartError('the key file is a folder'))).toBe(2);
  expect(codeOf(new TypeError('x is not a function'))).toBe(70);
});

test('errors name the options that caused them', () => {
  const found = {
    '/args/keep/days': '--keep.days is wrong',
    '/args': 'the arguments: is wrong',
    '/expires_in': '--expires is wrong',
    '/name': '--name is wrong',
    '/scopes/0': '--scopes is wrong',
    '/security_profile': '--security-profile is wrong',
    '/labels/team': '--label is wrong',
    '/value': 'the value is wrong',
    '?q': '--search is wrong',
    '?limit': '--limit is wrong',
    '': 'is wrong',
  };
  const errors = Object.keys(found).map((pointer) => ({ pointer, message: 'is wrong' }));
  expect(explained(new Problem('validation-error', 'x', { errors }))).toMatchObject({
    message: Object.values(found).join('\n'),
  });
});

test('an error in a file is printed after its position and a colon, as in `flwd jobs validate`', () => {
  const errors = ['`command` is missing', 'the list has no end', 'unknown key `colour`'].map((message) => ({
    file: 'a/config.yaml',
    line: 3,
    column: 1,
    message,
  }));
  expect(explained(new Problem('job-invalid', 'x', { errors }))).toMatchObject({
    message:
      'a/config.yaml:3:1: `command` is missing\na/config.yaml:3:1: the list has no end\na/config.yaml:3:1: unknown key `colour`',
  });
});

test('a colon separates the option from a complete sentence', () => {
  const errors = ['/args/backup_dir', '/args', '/job_id'].map((pointer) => ({
    pointer,
    message: "there is no '/x' here",
  }));
  expect(explained(new Problem('validation-error', 'x', { errors }))).toMatchObject({
    message:
      "--backup_dir: there is no '/x' here\nthe arguments: there is no '/x' here\nthe job: there is no '/x' here",
  });
});

test('a message that already names the job is not prefixed with the job again', () => {
  const errors = [{ pointer: '/job_id', message: "the job asks for '/x'" }];
  expect(explained(new Problem('validation-error', 'x', { errors }))).toMatchObject({
    message: "the job asks for '/x'",
  });
});

test('a missing argument is named only once in its message', () => {
  const errors = [{ pointer: '/args/keep/days', message: '`days` is missing' }];
  expect(explained(new Problem('validation-error', 'x', { errors }))).toMatchObject({
    message: '--keep.days is missing',
  });
});
