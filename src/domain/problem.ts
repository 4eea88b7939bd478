// Every error a caller can cause or fix, in one table (RFC 9457). What is not in it is a bug: see invariant().

export const problems = {
  'validation-error': {
    status: 400,
    title: 'Validation Error',
    cause: 'A member of the body, an argument or a query parameter is missing, unknown or out of range.',
    fix: 'Correct what `errors` lists; each entry points at one member.',
  },
  'malformed-request': {
    status: 400,
    title: 'Malformed Request',
    cause: 'The body is not JSON, or the request line or a header cannot be read.',
    fix: 'Send well-formed JSON with `Content-Type: application/json`.',
  },
  unauthenticated: {
    status: 401,
    title: 'Unauthenticated',
    cause:
      'The request has no credential and comes from nobody who needs none; or its credential is not valid, has expired or was revoked.',
    fix: 'Send `Authorization: Bearer` with a token; `flwd tokens create --name NAME --scopes A,B` makes one.',
  },
  'permission-denied': {
    status: 403,
    title: 'Permission Denied',
    cause: 'The caller lacks a scope or is of another tenant, or `Host` or `Origin` is foreign.',
    fix: 'Use a token that has what `detail` names, or call the server by its own name.',
  },
  'job-not-found': {
    status: 404,
    title: 'Job Not Found',
    cause: 'No source has a job of that id.',
    fix: 'List the jobs; ids are case-sensitive.',
  },
  'run-not-found': { status: 404, title: 'Run Not Found', cause: 'No run has that id.', fix: 'List the runs.' },
  'schedule-not-found': {
    status: 404,
    title: 'Schedule Not Found',
    cause: 'No schedule has that id; that of a config.yaml changes with its pattern, time zone and arguments.',
    fix: 'List the schedules.',
  },
  'secret-not-found': {
    status: 404,
    title: 'Secret Not Found',
    cause: 'No secret of that name is stored for the tenant.',
    fix: 'List the secrets.',
  },
  'token-not-found': {
    status: 404,
    title: 'Token Not Found',
    cause: 'No token has that id, or it is another tenant’s.',
    fix: 'List the tokens.',
  },
  'artifact-not-found': {
    status: 404,
    title: 'Artifact Not Found',
    cause: 'No artifact has that id.',
    fix: 'List the artifacts of the run.',
  },
  'not-found': {
    status: 404,
    title: 'Not Found',
    cause: 'The path is not part of the API.',
    fix: 'See /api/v1/openapi.json.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'Method Not Allowed',
    cause: 'The path exists, the method does not.',
    fix: 'Use a method that `Allow` lists.',
  },
  'run-already-finished': {
    status: 409,
    title: 'Run Already Finished',
    cause: 'A finished run cannot be cancelled.',
    fix: 'Nothing to do.',
  },
  'run-not-finished': {
    status: 409,
    title: 'Run Not Finished',
    cause: 'Only a run that has ended can be run again.',
    fix: 'Wait for its end, or cancel it.',
  },
  'workspace-expired': {
    status: 409,
    title: 'Workspace Expired',
    cause: 'The workspace that the steps would go on with is not kept any more, or never was.',
    fix: 'Run it again from the start; `persistence.retention.workspaces` says how long workspaces are kept.',
  },
  'revision-expired': {
    status: 409,
    title: 'Revision Expired',
    cause: 'The files of the job as they were for that run are not kept any more.',
    fix: 'Ask for `revision: latest`.',
  },
  'approval-not-pending': {
    status: 409,
    title: 'Approval Not Pending',
    cause: 'The step does not wait for an approval: it was decided, or its turn has not come.',
    fix: 'Read the run; its steps say where each stands.',
  },
  'concurrency-conflict': {
    status: 409,
    title: 'Concurrency Conflict',
    cause: 'The job allows no more runs at a time, and says `on_conflict: reject`.',
    fix: 'Wait for the other run, or cancel it.',
  },
  'idempotency-conflict': {
    status: 409,
    title: 'Idempotency Conflict',
    cause: 'The Idempotency-Key was used with another body.',
    fix: 'Use a new key for a new request.',
  },
  'idempotency-in-flight': {
    status: 409,
    title: 'Idempotency In Flight',
    cause: 'The first request with this Idempotency-Key is still under way.',
    fix: 'Ask again after it has ended.',
  },
  'source-managed': {
    status: 409,
    title: 'Source Managed',
    cause: 'A file declares it, so it is read-only here.',
    fix: 'Change the file.',
  },
  'artifact-gone': {
    status: 410,
    title: 'Artifact Gone',
    cause: 'The artifact has expired or was deleted.',
    fix: 'Run the job again.',
  },
  'events-expired': {
    status: 410,
    title: 'Events Expired',
    cause: 'The journal no longer holds the events after that id.',
    fix: 'Read the runs anew, then follow without an id.',
  },
  'body-too-large': {
    status: 413,
    title: 'Body Too Large',
    cause: 'The request body is over `server.body_limit`.',
    fix: 'Send less, or raise the limit.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported Media Type',
    cause: 'The body is not `application/json`, or is compressed.',
    fix: 'Send `Content-Type: application/json`, and no `Content-Encoding`.',
  },
  'range-not-satisfiable': {
    status: 416,
    title: 'Range Not Satisfiable',
    cause: 'The range lies outside the artifact.',
    fix: 'Ask for bytes below its size.',
  },
  'job-invalid': {
    status: 422,
    title: 'Job Invalid',
    cause: 'The job has a config.yaml that cannot be used.',
    fix: 'Mend what `errors` lists, in the file and line it names.',
  },
  'not-supported-yet': {
    status: 422,
    title: 'Not Supported Yet',
    cause: 'The job or the request uses something that this version does not act on yet.',
    fix: 'Leave it out, or wait for the version that brings it.',
  },
  'secret-unavailable': {
    status: 422,
    title: 'Secret Unavailable',
    cause: 'The run asks for a stored secret that is not there, or that no key of the server opens.',
    fix: 'Store it under the name in `detail`, for the tenant of the run.',
  },
  'isolation-unavailable': {
    status: 422,
    title: 'Isolation Unavailable',
    cause: 'This host cannot enforce the security profile.',
    fix: 'Install what `detail` names.',
  },
  'profile-not-allowed': {
    status: 422,
    title: 'Profile Not Allowed',
    cause: 'The instance does not allow the security profile, or the request would loosen it.',
    fix: 'Ask for a stricter profile, or have the operator allow it.',
  },
  'grant-not-allowed': {
    status: 422,
    title: 'Grant Not Allowed',
    cause: 'The job asks for a permission, or for more of the host, than the instance grants.',
    fix: 'Ask for less, or have the operator add to `security.paths` or `may_grant`, or raise what `resources` of the profile allows.',
  },
  'queue-full': {
    status: 429,
    title: 'Queue Full',
    cause: 'As many runs wait as `scheduler.queue.max_depth` allows.',
    fix: 'Try again after `Retry-After` seconds.',
  },
  'rate-limited': {
    status: 429,
    title: 'Rate Limited',
    cause:
      'The caller sent more requests, started more runs in a profile, or has more streams open than its limit, or too many logins from its address failed.',
    fix: 'Try again after `Retry-After` seconds; end streams that are not read.',
  },
  'headers-too-large': {
    status: 431,
    title: 'Headers Too Large',
    cause: 'The request line and the headers are over 16 KiB.',
    fix: 'Send shorter ones; a long filter or value belongs in the body.',
  },
  'execution-error': {
    status: 500,
    title: 'Execution Error',
    cause: 'The engine could not create the run.',
    fix: 'See the server log for the request id.',
  },
  'artifact-damaged': {
    status: 500,
    title: 'Artifact Damaged',
    cause: 'The file of the artifact is not what was stored: it is shorter or longer, or has other bytes.',
    fix: 'Restore it from a backup, or run the job again.',
  },
  'log-damaged': {
    status: 500,
    title: 'Log Damaged',
    cause: 'The file that holds these lines of the log is damaged or gone.',
    fix: 'Ask again with `cursor=` what `next_cursor` says: the lines behind them can be read. Or restore a backup.',
  },
  'database-damaged': {
    status: 500,
    title: 'Database Damaged',
    cause: 'The database file contradicts itself.',
    fix: 'Stop the server and restore a backup; `flwd doctor` says what SQLite finds.',
  },
  'internal-error': {
    status: 500,
    title: 'Internal Error',
    cause: 'A bug in flwd.',
    fix: 'Report it with the request id and the server log.',
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    cause: 'The server has more to do than its memory, its descriptors or its time allow.',
    fix: 'Try again after `Retry-After` seconds; `GET /api/v1/health` says what there is too much of.',
  },
  'not-ready': {
    status: 503,
    title: 'Not Ready',
    cause: 'The server is starting, stopping, or cannot write its data.',
    fix: 'Wait, and see `GET /api/v1/health`.',
  },
} as const satisfies Record<string, { status: number; title: string; cause: string; fix: string }>;

export type ProblemSlug = keyof typeof problems;

/** One error in what the caller sent. `pointer` is a JSON Pointer into the body, or `?name` for a query parameter. */
export type ValidationError = { readonly pointer: string; readonly message: string; readonly keyword: string };

/** What a caller can cause or fix. Thrown anywhere, answered at the edge as application/problem+json. */
export class Problem extends Error {
  readonly slug: ProblemSlug;
  /** Members beside the standard ones: `errors`, `retry_after`, `run_id`. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(slug: ProblemSlug, detail: string, members: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.name = 'Problem';
    this.slug = slug;
    this.members = members;
  }

  get status(): number {
    return problems[this.slug].status;
  }
}

export function problemType(slug: ProblemSlug): string {
  return `https://flowd.org/problems/${slug}`;
}

/** `total` where not all are in `errors`. */
export function validationError(errors: readonly ValidationError[], total = errors.length): Problem {
  const [first] = errors;
  invariant(first, 'a validation error names at least one fault');
  const more = total > 1 ? ` (and ${total - 1} more)` : '';
  return new Problem('validation-error', `${first.pointer || '/'}: ${first.message}${more}`, { errors });
}

/** A claim that only a bug can break. */
export function invariant(claim: unknown, what: string): asserts claim {
  if (!claim) throw new Error(`invariant broken: ${what}`);
}
