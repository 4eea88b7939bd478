// Every key of config.yaml as one JSON Schema, and the type of what passes it. What a single member cannot know (does
// the file exist, is the step graph sound) is checked in config-rules.ts. `says` is an error's text, for people.

import type { ValidateFunction } from 'ajv/dist/2020.js';
import {
  type CancelSignal,
  type CatchUp,
  cancelSignals,
  catchUps,
  type JsonObject,
  type JsonValue,
  type NotifyRule,
  type UlcProfile,
} from '../../domain/job.ts';
import { isMediaType } from '../../domain/media-type.ts';
import { isTimezone } from '../../lib/cron.ts';
import { parseDuration, parseSize } from '../../lib/units.ts';
import { toMemberErrors } from '../arguments/schema-errors.ts';
import { isObject } from '../arguments/subschemas.ts';
import { createCompiler } from './compiled-form.ts';
import type { MemberError } from './config-error.ts';

const stepLimit = 500;

export type RawStep = {
  readonly id: string;
  readonly name?: string;
  readonly script?: string;
  readonly command?: string | readonly string[];
  readonly job?: string;
  readonly args?: JsonObject;
  readonly approval?: { readonly text: string; readonly by?: readonly string[] };
  readonly needs?: readonly string[];
  readonly if?: string;
  readonly matrix?: Readonly<Record<string, readonly (string | number | boolean)[]>>;
  readonly foreach?: string;
  readonly retry?: RawRetry;
  readonly timeout?: string;
  readonly continue_on_error?: boolean;
  readonly always?: boolean;
};
export type RawRetry = {
  readonly limit?: number;
  readonly backoff?: 'fixed' | 'exponential';
  readonly delay?: string;
  readonly max_delay?: string;
  readonly on?: readonly number[];
};
export type RawConcurrency = {
  readonly limit: number;
  readonly key?: string;
  readonly on_conflict?: 'queue' | 'reject' | 'cancel_running';
};
export type RawSchedule = {
  readonly cron: string;
  readonly timezone?: string;
  readonly args?: JsonObject;
  readonly catch_up?: CatchUp;
  readonly jitter?: string;
  readonly enabled?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
};
type RawNotify = { readonly on?: NotifyRule['on']; readonly webhook: string };
export type RawPath = string | { readonly arg: string };
export type RawConfig = {
  readonly name?: string;
  readonly description?: string;
  readonly version?: string;
  readonly tags?: readonly string[];
  readonly enabled?: boolean;
  readonly executor?: 'proc' | 'container';
  readonly command?: string | readonly string[];
  readonly ulc_profile?: UlcProfile;
  readonly image?: string;
  readonly argspec?: JsonObject;
  readonly args?: readonly JsonObject[];
  readonly env?: Readonly<Record<string, string | { readonly secret: string }>>;
  readonly composition?: 'single' | 'steps';
  readonly steps?: readonly RawStep[];
  readonly timeouts?: { readonly run?: string; readonly step?: string; readonly queue?: string };
  readonly cancel?: { readonly signal?: CancelSignal; readonly grace?: string };
  readonly concurrency?: RawConcurrency;
  readonly retry?: RawRetry;
  readonly on_lost?: 'fail' | 'retry';
  readonly security_profile?: 'secure' | 'permissive' | 'disabled';
  readonly permissions?: {
    readonly network?: 'none' | 'all';
    readonly read?: readonly RawPath[];
    readonly write?: readonly RawPath[];
    readonly resources?: {
      readonly cpu?: number;
      readonly memory?: string | number;
      readonly pids?: number;
      readonly workspace?: string | number;
    };
  };
  readonly artifacts?: {
    readonly paths?: readonly (
      | string
      | { readonly path: string; readonly name?: string; readonly media_type?: string }
    )[];
    readonly default_key_pattern?: string;
    readonly ttl?: string;
  };
  readonly logs?: { readonly max_size?: string | number };
  readonly schedules?: readonly RawSchedule[];
  readonly notify?: RawNotify | readonly RawNotify[];
};

type Schema = Readonly<Record<string, unknown>>;

export const text = { type: 'string', minLength: 1, maxLength: 1000 };
/** How long it may be is said with what else is wrong with it. */
const expression = { type: 'string', minLength: 1 };
const flag = { type: 'boolean' };
export const duration = { type: 'string', format: 'span', says: 'a duration such as `30s` or `1h30m`' };
const waiting = { type: 'string', format: 'span-above-zero', says: 'a duration above zero such as `30s` or `1h30m`' };
const size = {
  type: ['string', 'integer'],
  format: 'size',
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  says: 'a size such as `512MiB` or `1GiB`',
};
export const oneOf = (...values: readonly string[]): Schema => ({ enum: values });
export const listOf = (items: Schema, more: Schema = {}): Schema => ({ type: 'array', items, ...more });
export const map = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
/** A string, or a map in its place. */
const textOr = (properties: Readonly<Record<string, Schema>>, required: readonly string[], says: string): Schema => ({
  ...map(properties, required),
  type: ['string', 'object'],
  minLength: 1,
  says,
});

const command = { type: ['string', 'array'], minLength: 1, minItems: 1, items: { type: 'string' } };
const path = textOr({ arg: text }, ['arg'], 'a path, or {arg: name}');
const retry = map({
  limit: { type: 'integer', minimum: 0, maximum: 100 },
  backoff: oneOf('fixed', 'exponential'),
  delay: duration,
  max_delay: duration,
  on: listOf({ type: 'integer', minimum: 1, maximum: 255 }, { minItems: 1, uniqueItems: true }),
});
const scalars = listOf({ type: ['string', 'number', 'boolean'] }, { minItems: 1, uniqueItems: true });

const stepMembers = map(
  {
    id: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$', says: 'a name of letters, digits, `_` and `-`' },
    name: text,
    script: text,
    command,
    job: text,
    args: { type: 'object' },
    approval: map({ text, by: listOf(text, { minItems: 1, uniqueItems: true }) }, ['text']),
    needs: listOf({ type: 'string' }, { uniqueItems: true }),
    if: expression,
    matrix: { type: 'object', minProperties: 1, additionalProperties: scalars },
    foreach: expression,
    retry,
    timeout: waiting,
    continue_on_error: flag,
    always: flag,
  },
  ['id'],
);
export const stepSchema: Schema = {
  ...stepMembers,
  hints: { run: 'did you mean `command: [..]`, or `script: ./file` for a file of the job?' },
};

const mediaType = { type: 'string', format: 'media-type', says: 'a media type such as `text/csv`' };

const schedule = map(
  {
    cron: { type: 'string', says: 'five fields such as `0 3 * * *`' },
    timezone: { type: 'string', format: 'timezone', says: 'a time zone such as `Europe/Berlin`' },
    args: { type: 'object' },
    catch_up: oneOf(...catchUps),
    jitter: duration,
    enabled: flag,
    labels: {
      type: 'object',
      maxProperties: 60,
      propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$' },
      additionalProperties: { type: 'string', maxLength: 255 },
    },
  },
  ['cron'],
);

const notify = map(
  {
    on: listOf(oneOf('success', 'failed', 'cancelled'), { minItems: 1, uniqueItems: true }),
    webhook: {
      type: 'string',
      maxLength: 2000,
      format: 'webhook',
      says: 'an http or https address without user and password',
    },
  },
  ['webhook'],
);

const members: Readonly<Record<string, Schema>> = {
  name: text,
  description: { type: 'string', maxLength: 10_000 },
  version: { ...text, maxLength: 100 },
  tags: listOf({ ...text, maxLength: 100 }, { uniqueItems: true, maxItems: 100 }),
  enabled: flag,
  executor: oneOf('proc', 'container'),
  command,
  ulc_profile: oneOf('ulc.shell.bash', 'ulc.shell.pwsh', 'ulc.python.3', 'ulc.node', 'ulc.exec'),
  image: text,
  argspec: { type: 'object' },
  args: listOf({ type: 'object' }),
  env: {
    type: 'object',
    additionalProperties: {
      ...textOr({ secret: text }, ['secret'], 'a string, or {secret: name}'),
      minLength: 0,
    },
  },
  composition: oneOf('single', 'steps'),
  steps: listOf(stepSchema, { minItems: 1, maxItems: stepLimit }),
  timeouts: map({ run: waiting, step: waiting, queue: waiting }),
  cancel: map({ signal: oneOf(...cancelSignals), grace: duration }),
  concurrency: map(
    {
      limit: { type: 'integer', minimum: 1 },
      key: expression,
      on_conflict: oneOf('queue', 'reject', 'cancel_running'),
    },
    ['limit'],
  ),
  retry,
  on_lost: oneOf('fail', 'retry'),
  security_profile: oneOf('secure', 'permissive', 'disabled'),
  permissions: map({
    network: oneOf('none', 'all'),
    read: listOf(path),
    write: listOf(path),
    resources: map({
      cpu: { type: 'number', exclusiveMinimum: 0 },
      memory: size,
      pids: { type: 'integer', minimum: 1, maximum: 4_194_304 },
      workspace: size,
    }),
  }),
  artifacts: map({
    paths: listOf(
      textOr({ path: text, name: text, media_type: mediaType }, ['path'], 'a path, or {path, name, media_type}'),
    ),
    mode: oneOf('immutable'),
    default_key_pattern: text,
    ttl: waiting,
  }),
  logs: map({ max_size: size }),
  schedules: listOf(schedule, { maxItems: 100 }),
  notify: {
    ...notify,
    type: ['object', 'array'],
    items: notify,
    minItems: 1,
    maxItems: 10,
    says: 'a map, or a list of maps',
  },
};
export const configSchema = map(members);

const compile = createCompiler({
  span: (value) => parseDuration(value) !== undefined,
  'span-above-zero': (value) => (parseDuration(value) ?? 0) > 0,
  size: (value) => (parseSize(value) ?? 0) > 0,
  timezone: isTimezone,
  'media-type': isMediaType,
  webhook: isWebhook,
});

/** Which keys there are; what they may hold is checked by a schema of each, made when the first job has it: a job has few. */
const keys = map(Object.fromEntries(Object.keys(members).map((name) => [name, {}])));
/** Each as a schema of the whole file, so that an error says where it is. */
const memberSchemas = Object.entries(members).map(
  ([name, schema]) => [name, { properties: { [name]: schema } }] as const,
);
const checks = new Map<Schema, ValidateFunction>();

function checkOf(schema: Schema): ValidateFunction {
  const known = checks.get(schema);
  if (known) return known;
  const made = compile(schema);
  checks.set(schema, made);
  return made;
}

/** Every error of form: unknown keys, types, values. */
export function checkConfig(value: JsonValue): { readonly config: RawConfig } | { readonly errors: MemberError[] } {
  const checkKeys = checkOf(keys);
  const errors = checkKeys(value) ? [] : [...(checkKeys.errors ?? [])];
  for (const [name, member] of memberSchemas) {
    if (!isObject(value) || !Object.hasOwn(value, name)) continue;
    const check = checkOf(member);
    if (!check(value)) errors.push(...(check.errors ?? []));
  }
  if (errors.length > 0) return { errors: toMemberErrors(errors, () => 'key') };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the schemas say
  return { config: value as RawConfig };
}

/** `fetch` refuses user and password in an address, and a log could show them. */
function isWebhook(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}
