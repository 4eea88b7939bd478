// All errors that a caller can cause or fix, in one table (RFC 9457). Any other error is a bug in flwd: see
// invariant().

export const problems = {
  'validation-error': {
    status: 400,
    title: 'Validation Error',
    cause: 'Something in the body, the arguments or the query is missing, unknown or out of range.',
    fix: 'Correct what `errors` lists. Each entry names the member that is wrong.',
  },
  'malformed-request': {
    status: 400,
    title: 'Malformed Request',
    cause: 'The body is not JSON, or the request line or a header cannot be parsed.',
    fix: 'Send well-formed JSON with `Content-Type: application/json`.',
  },
  unauthenticated: {
    status: 401,
    title: 'Unauthenticated',
    cause: 'The request needs a credential, or its credential is invalid, expired or revoked.',
    fix: 'Send `Authorization: Bearer` with a token. `flwd tokens create --name NAME --scopes A,B` creates one.',
  },
  'permission-denied': {
    status: 403,
    title: 'Permission Denied',
    cause:
      'The caller lacks a scope or belongs to another tenant, or the `Host` or `Origin` header names a host that the server does not accept.',
    fix: 'Use a token with the scope or tenant that `detail` names, or call the server by its own name.',
  },
  'source-untrusted': {
    status: 403,
    title: 'Source Untrusted',
    cause:
      'The job’s source is not trusted (`trusted: false`), and the run or schedule needs something that `flwd.yaml` does not allow for this source.',
    fix: 'Ask the operator to check the job, and to set a key for this source in `flwd.yaml`. `detail` names the key.',
  },
  'job-not-found': {
    status: 404,
    title: 'Job Not Found',
    cause: 'No source has a job with that id.',
    fix: 'List the jobs to see their ids. Ids are case-sensitive.',
  },
  'run-not-found': {
    status: 404,
    title: 'Run Not Found',
    cause: 'No run has that id, or it belongs to another tenant.',
    fix: 'List the runs to see their ids.',
  },
  'source-not-found': {
    status: 404,
    title: 'Source Not Found',
    cause: 'flwd.yaml has no source of this name, or had no such source when the server started.',
    fix: '`GET /api/v1/sources` lists the sources. Restart the server after you add one.',
  },
  'schedule-not-found': {
    status: 404,
    title: 'Schedule Not Found',
    cause:
      'No schedule has that id. The id of a schedule in a config.yaml changes with its pattern, time zone and arguments.',
    fix: 'List the schedules to see their ids.',
  },
  'backfill-not-found': {
    status: 404,
    title: 'Backfill Not Found',
    cause: 'No backfill has that id, or it is older than the runs that are kept.',
    fix: '`flwd backfills` lists the backfills.',
  },
  'webhook-not-found': {
    status: 404,
    title: 'Webhook Not Found',
    cause: 'No webhook has this address or id, or its job no longer exists or is invalid.',
    fix: '`flwd webhooks` lists the webhooks with their addresses.',
  },
  'channel-not-found': {
    status: 404,
    title: 'Channel Not Found',
    cause: 'flwd.yaml has no channel of this name in `notify.channels`.',
    fix: '`flwd notify` lists the channels. After a change to flwd.yaml, restart the server.',
  },
  'trigger-not-found': {
    status: 404,
    title: 'Trigger Not Found',
    cause: 'No trigger has this id, or its job is invalid.',
    fix: '`flwd triggers` lists the triggers.',
  },
  'trigger-chain-too-long': {
    status: 409,
    title: 'Trigger Chain Too Long',
    cause:
      'In a chain of triggers, the end of each run starts the next runs. A chain may have at most 8 triggers, one after the other, and at most 10,000 runs may follow from one run. Perhaps the triggers form a circle.',
    fix: '`detail` names the jobs of the chain, or the run that began it. Remove one of the triggers, or give it an `if` that ends the chain.',
  },
  'delivery-not-found': {
    status: 404,
    title: 'Delivery Not Found',
    cause: 'The webhook has no delivery with that id. Only the last 100 of each webhook are kept.',
    fix: '`flwd webhooks deliveries WEBHOOK` lists them.',
  },
  'delivery-not-replayable': {
    status: 409,
    title: 'Delivery Not Replayable',
    cause: 'The delivery has no arguments that could start a run: it was a test, it was skipped, or it was refused.',
    fix: 'Let the sender deliver it again. GitHub and other senders have a button for that.',
  },
  'signature-invalid': {
    status: 403,
    title: 'Signature Invalid',
    cause:
      'The delivery to the webhook is not signed, or is signed with another secret, or its time differs from the server’s time by more than five minutes.',
    fix: 'Give the sender the secret that the webhook names, and compare the clocks of both machines.',
  },
  'secret-not-found': {
    status: 404,
    title: 'Secret Not Found',
    cause: 'The tenant has no stored secret of that name.',
    fix: 'List the secrets to see their names.',
  },
  'kv-key-not-found': {
    status: 404,
    title: 'Key Not Found',
    cause: 'The namespace has no such key, or the key has expired.',
    fix: 'List the keys of the namespace. A job’s own namespace is its id.',
  },
  'job-file-not-found': {
    status: 404,
    title: 'File Not Found',
    cause: 'The job has no such file at this revision.',
    fix: 'List the files of the job.',
  },
  'token-not-found': {
    status: 404,
    title: 'Token Not Found',
    cause: 'No token has that id, or it belongs to another tenant.',
    fix: 'List the tokens to see their ids.',
  },
  'artifact-not-found': {
    status: 404,
    title: 'Artifact Not Found',
    cause: 'No artifact has that id, or it belongs to another tenant.',
    fix: 'List the artifacts of the run to see their ids.',
  },
  'not-found': {
    status: 404,
    title: 'Not Found',
    cause: 'The API has no such path.',
    fix: 'See /api/v1/openapi.json for all paths.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'Method Not Allowed',
    cause: 'The path exists, but not with this method.',
    fix: 'Use one of the methods in the `Allow` header.',
  },
  'run-already-finished': {
    status: 409,
    title: 'Run Already Finished',
    cause: 'The run has already finished, so it cannot be cancelled.',
    fix: 'There is nothing to do.',
  },
  'run-not-finished': {
    status: 409,
    title: 'Run Not Finished',
    cause: 'The run has not finished, and only a finished run can be run again.',
    fix: 'Wait until it finishes, or cancel it.',
  },
  'workspace-expired': {
    status: 409,
    title: 'Workspace Expired',
    cause: 'flwd no longer keeps the workspace in which the steps would continue, or never kept it.',
    fix: 'Rerun from the start. `persistence.retention.workspaces` sets how long workspaces are kept.',
  },
  'revision-expired': {
    status: 409,
    title: 'Revision Expired',
    cause: 'flwd no longer has the files of this revision of the job.',
    fix: 'To rerun with the current files, send `revision: latest`. To read the current files, leave `revision` out.',
  },
  'approval-not-pending': {
    status: 409,
    title: 'Approval Not Pending',
    cause: 'The step is not waiting for approval: somebody has already decided, or the run has not reached the step.',
    fix: 'Read the run to see the status of each step.',
  },
  'concurrency-conflict': {
    status: 409,
    title: 'Concurrency Conflict',
    cause: 'The job already has as many runs as it allows, and sets `on_conflict: reject`.',
    fix: 'Wait for the other run, or cancel it.',
  },
  'kv-conflict': {
    status: 409,
    title: 'Key Changed',
    cause: 'The key does not have the version that `if_version` names, so nothing was stored.',
    fix: 'Read the key, decide again, and send its current version.',
  },
  'idempotency-conflict': {
    status: 409,
    title: 'Idempotency Conflict',
    cause: 'The Idempotency-Key was already used with another body.',
    fix: 'Use a new key for a new request.',
  },
  'idempotency-in-flight': {
    status: 409,
    title: 'Idempotency In Flight',
    cause: 'The first request with this Idempotency-Key has not finished yet.',
    fix: 'Send the request again every `Retry-After` seconds until the first request has finished.',
  },
  'source-managed': {
    status: 409,
    title: 'Source Managed',
    cause: 'A file, such as the job’s config.yaml, declares this object. So the API can read it, but not change it.',
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
    cause: 'The server no longer has all events after the id that the request names.',
    fix: 'List the runs again, then follow the events without an id.',
  },
  'body-too-large': {
    status: 413,
    title: 'Body Too Large',
    cause: 'The request body is larger than `server.body_limit`.',
    fix: 'Send less, or raise the limit.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported Media Type',
    cause: 'The body is not `application/json`, or is compressed.',
    fix: 'Send `Content-Type: application/json` and no `Content-Encoding`.',
  },
  'range-not-satisfiable': {
    status: 416,
    title: 'Range Not Satisfiable',
    cause: 'The requested range is outside the artifact.',
    fix: 'Request a range that begins before the end of the artifact.',
  },
  'job-invalid': {
    status: 422,
    title: 'Job Invalid',
    cause: 'The job’s config.yaml has errors.',
    fix: 'Fix the errors that `errors` lists. Each names its file and line.',
  },
  'not-supported-yet': {
    status: 422,
    title: 'Not Supported Yet',
    cause: 'The job or the request uses something that this version of flwd does not support yet.',
    fix: 'Leave it out, or wait for a version that supports it.',
  },
  'secret-unavailable': {
    status: 422,
    title: 'Secret Unavailable',
    cause: 'The run needs a stored secret that does not exist, or that no key of the server can decrypt.',
    fix: 'Store the secret for the tenant of the run, under the name in `detail`.',
  },
  'isolation-unavailable': {
    status: 422,
    title: 'Isolation Unavailable',
    cause: 'This host cannot enforce the security profile, or cannot run the job as the user that it names.',
    fix: 'Do what `detail` says.',
  },
  'profile-not-allowed': {
    status: 422,
    title: 'Profile Not Allowed',
    cause: 'The instance does not allow the security profile, or the request would loosen the job’s profile.',
    fix: 'Request a stricter profile, or ask the operator to allow this one.',
  },
  'grant-not-allowed': {
    status: 422,
    title: 'Grant Not Allowed',
    cause: 'The job asks for a permission or for resources that the instance does not grant.',
    fix: 'Ask for less, or ask the operator to extend `security.paths`, `security.run_as`, `may_grant`, or the `resources` of the profile.',
  },
  'kv-full': {
    status: 422,
    title: 'Key-Value Store Full',
    cause: 'The namespace would hold more than 32 MiB, or the instance already has a million keys.',
    fix: 'Delete keys that are no longer needed, or store them with a `ttl`.',
  },
  'queue-full': {
    status: 429,
    title: 'Queue Full',
    cause: 'The number of waiting runs has reached `scheduler.queue.max_depth`.',
    fix: 'Try again after `Retry-After` seconds.',
  },
  'rate-limited': {
    status: 429,
    title: 'Rate Limited',
    cause:
      'The caller has sent too many requests, started too many runs in a profile, or opened too many streams; or too many logins from its address have failed.',
    fix: 'Try again after `Retry-After` seconds. Close streams that nobody reads.',
  },
  'headers-too-large': {
    status: 431,
    title: 'Headers Too Large',
    cause: 'The request line and the headers together exceed 16 KiB.',
    fix: 'Send shorter headers. Move a long filter or value into the body.',
  },
  'execution-error': {
    status: 500,
    title: 'Execution Error',
    cause: 'The engine could not create the run.',
    fix: 'Look up the request id in the server log.',
  },
  'artifact-damaged': {
    status: 500,
    title: 'Artifact Damaged',
    cause: 'The stored file of the artifact has changed: its size or its content is wrong.',
    fix: 'Restore it from a backup, or run the job again.',
  },
  'log-damaged': {
    status: 500,
    title: 'Log Damaged',
    cause: 'The file that contains these log lines is damaged or missing.',
    fix: 'To read the lines after the damage, send the value of `next_cursor` as `cursor`. To get the damaged lines back, restore a backup.',
  },
  'database-damaged': {
    status: 500,
    title: 'Database Damaged',
    cause: 'The database file is damaged.',
    fix: 'Stop the server and restore a backup. `flwd doctor` shows what SQLite reports.',
  },
  'internal-error': {
    status: 500,
    title: 'Internal Error',
    cause: 'This is a bug in flwd.',
    fix: 'Report it, with the request id and the server log.',
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    cause: 'The server has more work than its memory, file descriptors or time allow.',
    fix: 'Try again after `Retry-After` seconds. `GET /api/v1/health` shows which limit was reached.',
  },
  'not-ready': {
    status: 503,
    title: 'Not Ready',
    cause:
      'The server is starting or stopping, it cannot write its data, or it cannot fetch the keys with which it checks JWTs. For a delivery to a webhook: `flwd.yaml` pauses all webhooks.',
    fix: 'Wait, and watch `GET /api/v1/health`. For a delivery: ask the operator to remove `scheduler.triggers_paused`.',
  },
} as const satisfies Record<string, { status: number; title: string; cause: string; fix: string }>;

export type ProblemSlug = keyof typeof problems;

/** One error in a request. `pointer` is a JSON Pointer into the body, or `?name` for a query parameter. */
export type ValidationError = { readonly pointer: string; readonly message: string; readonly keyword: string };

/** An error that a caller can cause or fix. Any code may throw it. The API answers with application/problem+json. */
export class Problem extends Error {
  readonly slug: ProblemSlug;
  /** Members besides the standard ones: `errors`, `retry_after`, `run_id`. */
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

/** @param total the number of all errors, if `errors` lists only some of them */
export function validationError(errors: readonly ValidationError[], total = errors.length): Problem {
  const [first] = errors;
  invariant(first, 'a validation error has at least one error');
  const more = total > 1 ? ` (and ${total - 1} more)` : '';
  return new Problem('validation-error', `${first.pointer || '/'}: ${first.message}${more}`, { errors });
}

/** Asserts a claim that only a bug in flwd can make false. */
export function invariant(claim: unknown, what: string): asserts claim {
  if (!claim) throw new Error(`invariant broken: ${what}`);
}
