// The tools for all jobs and runs. To them, jobs that the agent may not see do not exist.

import type { CallToolResult, Tool } from '@modelcontextprotocol/server';
import type { ErrorObject } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { QueryOf } from '../contract/operations.ts';
import type { Scope } from '../domain/principal.ts';
import { runStatuses } from '../domain/run.ts';
import { boundErrors } from '../lib/bounded-errors.ts';
import { nearest } from '../lib/nearest.ts';
import { harmlessValue, marked, markedLine } from './harmless.ts';
import { findJob, type Instance, type Job, readRights, visibleJobs } from './instance.ts';
import { toolName, toRunRequest } from './job-tools.ts';
import { kindOf } from './params.ts';
import { readArtifact, readLog } from './resources.ts';
import { answerRun, bytesOf, runSchema } from './run-answer.ts';
import { type Call, forJob, startAndWait, wait } from './waiting.ts';

type Given = Readonly<Record<string, unknown>>;
type Use = { readonly instance: Instance; readonly call: Call; readonly given: Given };
type InputSchema = {
  readonly type: 'object';
  readonly properties: Record<string, never>;
  readonly required: string[];
  readonly additionalProperties: false;
};
type FixedTool = {
  readonly tool: Tool & { readonly inputSchema: InputSchema };
  readonly scope: Scope;
  readonly use: (use: Use) => Promise<CallToolResult>;
};

const mostBytes = 9_000;
/** How many bytes the list itself may take. The rest is for the other members of the answer. */
const mostListBytes = 8_700;
const mostListed = 50;
const usuallyListed = 20;
const mostChars = 200;
const mostTags = 20;
const mostWaitSeconds = 3_600;

const text = (description: string, maxLength = 512) => ({ type: 'string', minLength: 1, maxLength, description });
const count = (maximum: number, description: string) => ({ type: 'integer', minimum: 1, maximum, description });
const jobId = text('The id of a job, such as backup/daily');
const runId = text('The id of a run, such as run_01…');
const jobArgs = {
  type: 'object',
  description: 'The arguments of the job. A secret is the name of a stored secret.',
};
const waitSeconds = {
  type: 'integer',
  minimum: 0,
  maximum: mostWaitSeconds,
  description: 'How many seconds to wait for its end; 0 answers at once',
};

const noSuchJob: CallToolResult = {
  content: [{ type: 'text', text: 'There is no such job: jobs_search finds jobs.' }],
  isError: true,
};

function define(
  name: string,
  o: {
    readonly about: string;
    readonly scope: Scope;
    readonly properties: Record<string, object>;
    readonly required?: string[];
    /** What the tool changes; left out if it only reads. */
    readonly changes?: Tool['annotations'];
    readonly isAboutRun?: true;
    readonly use: FixedTool['use'];
  },
): FixedTool {
  return {
    scope: o.scope,
    use: o.use,
    tool: {
      name,
      description: o.about,
      inputSchema: {
        type: 'object',
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- these schemas are JSON
        properties: o.properties as Record<string, never>,
        required: o.required ?? [],
        additionalProperties: false,
      },
      ...(o.isAboutRun && { outputSchema: runSchema }),
      annotations: { readOnlyHint: o.changes === undefined, openWorldHint: false, ...o.changes },
    },
  };
}

const starts = { destructiveHint: true, idempotentHint: false, openWorldHint: true };

const tools: readonly FixedTool[] = [
  define('jobs_search', {
    about: 'Finds jobs by text, tag or namespace, sorted by id. Any of them can be started with jobs_start.',
    scope: 'jobs:read',
    properties: {
      q: text('Text in the id, title, description or tags'),
      tag: text('A tag'),
      prefix: text('A namespace, such as backup'),
      limit: count(mostListed, `How many to return; ${usuallyListed} by default`),
      cursor: text('The next_cursor of an earlier answer'),
    },
    use: searchJobs,
  }),
  define('jobs_describe', {
    about: 'Describes a job: its arguments as JSON Schema, its steps and its timeouts.',
    scope: 'jobs:read',
    properties: { job_id: jobId },
    required: ['job_id'],
    use: ({ instance, given }) => withJob(instance, given, describe),
  }),
  define('jobs_plan', {
    about: 'Checks arguments and says what a run would do, with which permissions and limits. Starts nothing.',
    scope: 'jobs:read',
    properties: { job_id: jobId, args: jobArgs },
    required: ['job_id'],
    use: ({ instance, given }) =>
      withJob(instance, given, async (job) =>
        toAnswer(await instance.client.call('createPlan', { body: requestOf(job, given) })),
      ),
  }),
  define('jobs_start', {
    about: 'Starts a run of any job and waits for its end.',
    scope: 'runs:write',
    properties: {
      job_id: jobId,
      args: jobArgs,
      wait_s: waitSeconds,
      idempotency_key: text('The same request with the same key starts one run only', 255),
    },
    required: ['job_id'],
    changes: starts,
    isAboutRun: true,
    use: ({ instance, call, given }) =>
      withJob(instance, given, (job) => {
        const key = textOf(given, 'idempotency_key');
        const own = key === undefined ? {} : { 'idempotency-key': key };
        const body = requestOf(job, given);
        return startAndWait(instance, forJob(call, job), {
          create: async (headers) =>
            (await instance.client.call('createRun', { body, headers: { ...headers, ...own } })).run_id,
          waitMs: waitMsOf(instance, given),
        });
      }),
  }),
  define('runs_list', {
    about: 'Lists runs, newest first.',
    scope: 'runs:read',
    properties: {
      job_id: jobId,
      status: { type: 'string', enum: [...runStatuses] },
      created_by: text('Only runs that this principal started, such as mcp:local'),
      limit: count(mostListed, `How many to return; ${usuallyListed} by default`),
      cursor: text('The next_cursor of an earlier answer'),
    },
    use: listRuns,
  }),
  define('runs_get', {
    about: 'Returns the status of a run, with its result and the last lines of its log.',
    scope: 'runs:read',
    properties: { run_id: runId },
    required: ['run_id'],
    isAboutRun: true,
    use: ({ instance, given }) => answerRun(instance, needed(given, 'run_id')),
  }),
  define('runs_wait', {
    about: 'Waits for a run to end, then answers as runs_get does.',
    scope: 'runs:read',
    properties: { run_id: runId, wait_s: waitSeconds },
    required: ['run_id'],
    isAboutRun: true,
    use: ({ instance, call, given }) =>
      wait(instance, call, { runId: needed(given, 'run_id'), waitMs: waitMsOf(instance, given) }),
  }),
  define('runs_logs', {
    about: 'Reads the last lines of the log of a run, or those before a line.',
    scope: 'runs:read',
    properties: {
      run_id: runId,
      tail: count(1_000, 'How many lines; 100 by default'),
      before: count(
        Number.MAX_SAFE_INTEGER,
        'Only lines before the one with this number, which an earlier answer names',
      ),
      q: text('Only lines that contain this text'),
      step_id: text('Only lines of this step'),
      level: { type: 'string', enum: ['warn', 'error'], description: 'Only lines of this level or a more severe one' },
    },
    required: ['run_id'],
    use: readLines,
  }),
  define('runs_cancel', {
    about: 'Cancels a run. It has ended when the answer says so.',
    scope: 'runs:write',
    properties: { run_id: runId },
    required: ['run_id'],
    changes: { destructiveHint: true, idempotentHint: true },
    use: async ({ instance, given }) =>
      toAnswer(await instance.client.call('cancelRun', { path: { run_id: needed(given, 'run_id') } })),
  }),
  define('runs_rerun', {
    about: 'Runs a job again, with the arguments of an earlier run, and waits for its end.',
    scope: 'runs:write',
    properties: {
      run_id: runId,
      from: {
        type: 'string',
        enum: ['start', 'failed'],
        description: 'start, the default, or the steps that did not succeed',
      },
      wait_s: waitSeconds,
    },
    required: ['run_id'],
    changes: starts,
    isAboutRun: true,
    use: rerun,
  }),
  define('artifacts_list', {
    about: 'Lists the files that runs have kept, newest first.',
    scope: 'artifacts:read',
    properties: {
      run_id: runId,
      job_id: jobId,
      limit: count(mostListed, `How many to return; ${usuallyListed} by default`),
    },
    use: listArtifacts,
  }),
  define('artifacts_read', {
    about: 'Reads an artifact that is text of at most 64 KiB.',
    scope: 'artifacts:read',
    properties: { artifact_id: text('The id of an artifact, such as artifact_01…') },
    required: ['artifact_id'],
    use: async ({ instance, given }) => plain(await readArtifact(instance.client, needed(given, 'artifact_id'))),
  }),
];

// This is the server's own Ajv, because the SDK would bring another copy. The schemas are flwd's own, so Ajv does not
// check them.
const ajv = new Ajv2020({
  allErrors: true,
  verbose: true,
  meta: false,
  validateSchema: false,
  code: { process: boundErrors },
});
const byName = new Map(tools.map((tool) => [tool.tool.name, tool]));

export const fixedTools: readonly Pick<FixedTool, 'tool' | 'scope'>[] = tools;

export function isFixedTool(name: string): boolean {
  return byName.has(name);
}

/** @throws ApiProblem, ServerUnreachable */
export async function callFixedTool(name: string, { given, ...o }: Use): Promise<CallToolResult> {
  const tool = byName.get(name);
  if (!tool) throw new Error(`there is no tool ${name}`);
  // Compiles the schema of this tool when it is needed for the first time. To compile all schemas at the start would
  // take a tenth of a second.
  const check = ajv.compile(tool.tool.inputSchema);
  if (!check(given))
    return { ...plain(`The arguments of ${name} are not valid: ${errorWords(check.errors ?? [])}`), isError: true };
  return tool.use({ ...o, given });
}

function errorWords(errors: readonly ErrorObject[]): string {
  const words = errors.map((error) => {
    const { instancePath, keyword, params, parentSchema: { properties = {} } = {} } = error;
    if (keyword === 'required') return `${params.missingProperty} is required`;
    if (keyword !== 'additionalProperties') return `${instancePath.slice(1)} ${wanted(error)}`;
    const meant = nearest(String(params.additionalProperty), Object.keys(properties));
    return `there is no argument '${params.additionalProperty}'${meant ? `; did you mean ${meant}?` : ''}`;
  });
  return words.join('; ');
}

/** Says what an argument must be. The cases are the keywords that the schemas of these tools use. */
function wanted({ keyword, params, data, message }: ErrorObject): string {
  switch (keyword) {
    case 'type':
      return `must be ${/^[aeio]/.test(params.type) ? 'an' : 'a'} ${params.type}, not ${kindOf(data)}`;
    case 'enum':
      return `must be one of ${params.allowedValues.join(', ')}`;
    case 'minimum':
      return `must be at least ${params.limit}`;
    case 'maximum':
      return `must be at most ${params.limit}`;
    default:
      return message ?? `breaks ${keyword}`;
  }
}

async function searchJobs({ instance, given }: Use): Promise<CallToolResult> {
  const rights = await readRights(instance);
  const wanted = { q: textOf(given, 'q'), tag: textOf(given, 'tag'), prefix: textOf(given, 'prefix') };
  const cursor = textOf(given, 'cursor');
  const query = {
    ...Object.fromEntries(Object.entries(wanted).filter(([, value]) => value)),
    ...(cursor && { cursor }),
  };
  let most = countOf(given, 'limit') ?? usuallyListed;
  for (;;) {
    const { jobs, nextCursor } = await visibleJobs(instance, rights, { ...query, most });
    const shown = jobs.map((job) => ({
      job_id: job.id,
      tool: toolName(job.id),
      title: markedLine(job.title ?? '', mostChars),
      description: markedLine(job.description ?? '', mostChars),
      tags: job.tags.slice(0, mostTags),
    }));
    const fitting = fitsIn(shown);
    // If not all jobs fit, a smaller page is read. The next page begins after the last job of this page, so the answer
    // must contain every job of this page.
    if (fitting === shown.length || fitting === 0) return toAnswer({ jobs: shown, next_cursor: nextCursor });
    most = fitting;
  }
}

async function describe(job: Job): Promise<CallToolResult> {
  const { id, title, description, tags, source, version, args, steps, concurrency, timeouts } = job;
  const about = { title: title && markedLine(title, mostChars), description: description && marked(description) };
  const whole = { job_id: id, ...about, tags, source, version, args, steps, concurrency, timeouts };
  return toAnswer(bytesOf(whole) <= mostBytes ? whole : { ...whole, steps: steps.map(({ step_id: step }) => step) });
}

async function listRuns({ instance, given }: Use): Promise<CallToolResult> {
  const [job, by, cursor] = [textOf(given, 'job_id'), textOf(given, 'created_by'), textOf(given, 'cursor')];
  const status = runStatuses.find((one) => one === given.status);
  const query: QueryOf<'listRuns'> = {
    limit: countOf(given, 'limit') ?? usuallyListed,
    ...(job && { job_id: job }),
    ...(by && { created_by: by }),
    ...(cursor && { cursor }),
    ...(status && { status }),
  };
  const { runs, total, next_cursor: nextCursor } = await instance.client.call('listRuns', { query });
  const shown = runs.map((run) => ({
    run_id: run.run_id,
    job_id: run.job_id,
    status: run.status,
    reason: run.reason,
    created_at: run.created_at,
    finished_at: run.finished_at,
    created_by: run.created_by,
    error: markedLine(run.error?.message ?? '', mostChars),
  }));
  return toListAnswer('runs', shown, { total, next_cursor: nextCursor });
}

async function readLines({ instance, given }: Use): Promise<CallToolResult> {
  const [q, step] = [textOf(given, 'q'), textOf(given, 'step_id')];
  const [tail, before] = [countOf(given, 'tail'), countOf(given, 'before')];
  const level = given.level === 'warn' || given.level === 'error' ? given.level : undefined;
  return plain(
    await readLog(instance.client, needed(given, 'run_id'), {
      ...(q && { q }),
      ...(step && { step_id: step }),
      ...(tail && { tail }),
      ...(before && { before }),
      ...(level && { level }),
    }),
  );
}

async function rerun({ instance, call, given }: Use): Promise<CallToolResult> {
  const path = { run_id: needed(given, 'run_id') };
  const { client } = instance;
  const { job_id: id } = await client.call('getRun', { path });
  const job = await findJob(instance, id);
  if (!job) return noSuchJob;
  const body = { from: given.from === 'failed' ? ('failed' as const) : ('start' as const) };
  return startAndWait(instance, forJob(call, job), {
    create: async (headers) => (await client.call('rerunRun', { path, body, headers })).run_id,
    waitMs: waitMsOf(instance, given),
  });
}

async function listArtifacts({ instance, given }: Use): Promise<CallToolResult> {
  const [run, job] = [textOf(given, 'run_id'), textOf(given, 'job_id')];
  const limit = countOf(given, 'limit') ?? usuallyListed;
  const query = { limit, ...(run && { run_id: run }), ...(job && { job_id: job }) };
  const { artifacts, total } = await instance.client.call('listArtifacts', { query });
  const shown = artifacts.map((artifact) => ({
    artifact_id: artifact.id,
    run_id: artifact.run_id,
    name: artifact.name,
    media_type: artifact.media_type,
    size_bytes: artifact.size_bytes,
    created_at: artifact.created_at,
  }));
  return toListAnswer('artifacts', shown, { total });
}

async function withJob(
  instance: Instance,
  given: Given,
  use: (job: Job) => Promise<CallToolResult>,
): Promise<CallToolResult> {
  const job = await findJob(instance, needed(given, 'job_id'));
  return job ? use(job) : noSuchJob;
}

function requestOf(job: Job, { args }: Given) {
  return toRunRequest(job, typeof args === 'object' && args !== null ? { ...args } : {});
}

function toAnswer(value: object): CallToolResult {
  const shown = harmlessValue(value);
  const json = JSON.stringify(shown);
  const isWhole = Buffer.byteLength(json) <= mostBytes;
  if (!isWhole) return plain(`${json.slice(0, mostBytes)}… (the rest is left out)`);
  return { ...plain(json), structuredContent: { ...(typeof shown === 'object' && shown) } };
}

/** Returns how many of the items fit into the answer. */
function fitsIn(items: readonly object[]): number {
  let count = items.length;
  while (count > 0 && bytesOf(items.slice(0, count)) > mostListBytes) count -= 1;
  return count;
}

function toListAnswer(name: string, items: readonly object[], others: object): CallToolResult {
  const count = fitsIn(items);
  const left = items.length - count;
  return toAnswer({ [name]: items.slice(0, count), ...others, ...(left > 0 && { left_out: left }) });
}

function plain(words: string): CallToolResult {
  return { content: [{ type: 'text', text: words }] };
}

function textOf(given: Given, name: string): string | undefined {
  const value = given[name];
  return typeof value === 'string' ? value : undefined;
}

function countOf(given: Given, name: string): number | undefined {
  const value = given[name];
  return typeof value === 'number' ? value : undefined;
}

/** A text that the schema requires. */
function needed(given: Given, name: string): string {
  return textOf(given, name) ?? '';
}

function waitMsOf({ settings }: Instance, given: Given): number {
  const seconds = countOf(given, 'wait_s');
  return seconds === undefined ? settings.waitMs : seconds * 1000;
}
