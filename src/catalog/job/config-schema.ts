// Every key of config.yaml in one definition: the JSON Schema that checks it and the type of a valid file. Rules beyond
// a single member (a file exists, the step graph has no cycle) are in config-rules.ts. `says` describes the value in
// the text of an error.

import type { ValidateFunction } from 'ajv/dist/2020.js';
import { secretNamePattern } from '../../domain/access/secret-name.ts';
import { cancelSignals, catchUps, type JsonObject, type JsonValue } from '../../domain/job.ts';
import { kvNamespacePattern, longestNamespaceChars } from '../../domain/kv.ts';
import { isMediaType } from '../../domain/media-type.ts';
import { channelNamePattern, notifyEvents, type StoredText } from '../../domain/notification.ts';
import { timeOfDayPattern } from '../../domain/outcome/late.ts';
import { daysPattern } from '../../domain/schedule.ts';
import { triggerEnds } from '../../domain/trigger/job-trigger.ts';
import { headerNamePattern, signedSchemes, webhookNamePattern } from '../../domain/trigger/webhook.ts';
import { parseTimestampUs } from '../../lib/clock.ts';
import { isHttpUrl } from '../../lib/http/http-url.ts';
import { isTimezone } from '../../lib/timezone.ts';
import { parseDuration, parseSize } from '../../lib/units.ts';
import { toMemberErrors } from '../arguments/schema-errors.ts';
import { isObject } from '../arguments/subschemas.ts';
import { createCompiler } from './compiled-form.ts';
import type { MemberError } from './config-error.ts';
import { approvalKeyHints, immutableOnly, jobKeyHints, standardOnly, stepKeyHints } from './other-keys.ts';
import {
  boolean,
  integer,
  list,
  map,
  number,
  oneOf,
  type Schema,
  type Static,
  schemaOf,
  string,
} from './typed-schema.ts';

const stepLimit = 500;

export type RawStep = Static<typeof stepSchema>;
export type RawRetry = Static<typeof retry>;
export type RawConcurrency = Static<typeof concurrency>;
export type RawSchedule = Static<typeof schedule>;
export type RawTrigger = Static<typeof trigger>;
export type RawWebhook = Static<typeof webhook>;
export type RawPath = Static<typeof path>;
export type RawConfig = Static<typeof configSchema>;

/** Describes a map with an example of its keys, for people who write a single value in its place. */
const keysSuchAs = (example: string) => `a map of keys such as \`${example}\``;

/** Either a string, or a map that matches the schema. */
function textOr<T>(schema: Schema<T>, says: string) {
  return schemaOf<string | T>({ ...schema, type: ['string', 'object'], minLength: 1, says });
}

export const text = string({ minLength: 1, maxLength: 1000 });
/** The parser of expressions limits the length. */
const expression = string({ minLength: 1 });
const flag = boolean;
const anyObject = schemaOf<JsonObject>({ type: 'object' });
export const duration = string({ format: 'span', says: 'a duration such as `30s` or `1h30m`' });
const waiting = string({ format: 'span-above-zero', says: 'a duration above zero such as `30s` or `1h30m`' });
const size = schemaOf<string | number>({
  type: ['string', 'integer'],
  format: 'size',
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  says: 'a size such as `512MiB` or `1GiB`',
});
const few = { minItems: 1, uniqueItems: true };

const command = schemaOf<string | readonly string[]>({
  type: ['string', 'array'],
  minLength: 1,
  minItems: 1,
  items: { type: 'string' },
});
const path = textOr(map({ arg: text }, {}), 'a path, or {arg: name}');
const retry = map(
  {},
  {
    limit: integer({ minimum: 0, maximum: 100 }),
    backoff: oneOf('fixed', 'exponential'),
    delay: duration,
    max_delay: duration,
    on: list(integer({ minimum: 1, maximum: 255 }), few),
  },
  { says: keysSuchAs('{limit: 3}') },
);
const concurrency = map(
  { limit: integer({ minimum: 1 }) },
  { key: expression, on_conflict: oneOf('queue', 'reject', 'cancel_running') },
  { says: keysSuchAs('{limit: 1}') },
);
const matrix = schemaOf<Readonly<Record<string, readonly (string | number | boolean)[]>>>({
  type: 'object',
  minProperties: 1,
  additionalProperties: { type: 'array', items: { type: ['string', 'number', 'boolean'] }, ...few },
  says: keysSuchAs('{region: [eu, us]}'),
});

export const stepSchema = map(
  {
    id: string({
      pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$',
      says: 'a name of letters, digits, `_` and `-`',
    }),
  },
  {
    name: text,
    script: text,
    command,
    job: text,
    args: anyObject,
    approval: map(
      { text },
      { by: list(text, few), not_by_starter: flag },
      { hints: approvalKeyHints, says: keysSuchAs('{text: Release to all hosts?}') },
    ),
    needs: list(string(), { uniqueItems: true }),
    if: expression,
    matrix,
    foreach: expression,
    retry,
    timeout: waiting,
    continue_on_error: flag,
    always: flag,
  },
  { hints: stepKeyHints, says: keysSuchAs('{id: build, script: ./build.sh}') },
);

/** Dates, and names of calendars of flwd.yaml. */
const days = schemaOf<string | readonly string[]>({
  type: ['string', 'array'],
  pattern: daysPattern,
  items: { type: 'string', pattern: daysPattern },
  ...few,
  maxItems: 1_000,
  says: 'a date such as `2026-12-24`, the name of a calendar of `flwd.yaml`, or a list of these',
});
const secretName = string({
  pattern: secretNamePattern,
  says: 'the name of a stored secret',
});
const schedule = map(
  {},
  {
    cron: string({ says: 'five fields such as `0 3 * * *`, or a word such as `@daily`' }),
    at: string({ format: 'instant', says: 'a time with an offset such as `2026-12-01T09:00:00+01:00`' }),
    calendar: days,
    except: days,
    timezone: string({ format: 'timezone', says: 'a time zone such as `Europe/Berlin`' }),
    args: anyObject,
    catch_up: oneOf(...catchUps),
    jitter: duration,
    enabled: flag,
    held: flag,
    heartbeat: schemaOf<StoredText>({
      ...map({ secret: secretName }, {}),
      type: ['string', 'object'],
      maxLength: 2000,
      format: 'webhook',
      says: 'an http or https URL without a user and password, or {secret: name}',
    }),
    labels: schemaOf<Readonly<Record<string, string>>>({
      type: 'object',
      maxProperties: 60,
      propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$' },
      additionalProperties: { type: 'string', maxLength: 255 },
    }),
  },
  { says: keysSuchAs("{cron: '0 3 * * *'}") },
);

const headerName = string({ pattern: headerNamePattern, says: 'the name of a header' });
const webhook = map(
  {
    name: string({ pattern: webhookNamePattern, says: 'a name of letters, digits, `_` and `-`' }),
    scheme: oneOf(...signedSchemes),
    secret: schemaOf<string | readonly string[]>({
      ...secretName,
      type: ['string', 'array'],
      items: secretName,
      minItems: 1,
      maxItems: 5,
      uniqueItems: true,
      says: 'the name of a stored secret, or a list of them',
    }),
  },
  {
    header: headerName,
    if: expression,
    args: schemaOf<Readonly<Record<string, string>>>({
      type: 'object',
      additionalProperties: { type: 'string', minLength: 1, says: 'an expression such as `body.ref`' },
    }),
    headers: list(headerName, { ...few, maxItems: 20 }),
    wait: waiting,
  },
  { says: keysSuchAs('{name: push, scheme: github, secret: hook}') },
);

const trigger = map(
  {},
  {
    job: string({ minLength: 1, maxLength: 255 }),
    on: list(oneOf(...triggerEnds), few),
    files: string({ minLength: 1, maxLength: 1000, says: 'the path of a folder' }),
    match: string({ minLength: 1, maxLength: 255, says: 'a pattern for names such as `*.csv`' }),
    settle: duration,
    check: command,
    every: waiting,
    if: expression,
    args: schemaOf<Readonly<Record<string, string>>>({
      type: 'object',
      additionalProperties: { type: 'string', minLength: 1, says: 'an expression such as `run.result.value.rows`' },
    }),
  },
  { says: keysSuchAs('{job: backup}') },
);

const notify = map(
  {},
  {
    webhook: string({
      maxLength: 2000,
      format: 'webhook',
      says: 'an http or https URL without a user and password',
    }),
    channel: string({ pattern: channelNamePattern, says: 'the name of a channel in flwd.yaml' }),
    on: list(oneOf(...notifyEvents), few),
    after: integer({ minimum: 1, maximum: 1_000 }),
    repeat: waiting,
    digest: waiting,
  },
);
type Notify = Static<typeof notify>;

const resources = map(
  {},
  {
    cpu: number({ exclusiveMinimum: 0 }),
    memory: size,
    pids: integer({ minimum: 1, maximum: 4_194_304 }),
    workspace: size,
  },
  { says: keysSuchAs('{memory: 512MiB}') },
);

const kvNamespace = string({
  pattern: kvNamespacePattern,
  maxLength: longestNamespaceChars,
  says: 'a namespace of the key-value store, which is the id of a job or a name of the same form',
});

const artifact = map(
  { path: text },
  { name: text, media_type: string({ format: 'media-type', says: 'a media type such as `text/csv`' }) },
);

const members = {
  name: text,
  description: string({ maxLength: 10_000 }),
  version: string({ minLength: 1, maxLength: 100 }),
  tags: list(string({ minLength: 1, maxLength: 100 }), { uniqueItems: true, maxItems: 100 }),
  enabled: flag,
  executor: oneOf('proc', 'container'),
  command,
  ulc_profile: oneOf('ulc.shell.bash', 'ulc.shell.pwsh', 'ulc.python.3', 'ulc.node', 'ulc.exec'),
  image: text,
  argspec: anyObject,
  args: list(schemaOf<JsonObject>({ type: 'object', says: keysSuchAs('{name: target, type: string}') })),
  /** Another form of the list `args`: a map from each argument's name to its other keys. */
  arguments: schemaOf<Readonly<Record<string, JsonObject>>>({
    type: 'object',
    additionalProperties: { type: 'object', says: keysSuchAs('{type: string}') },
    says: keysSuchAs('{target: {type: string}}'),
  }),
  env: schemaOf<Readonly<Record<string, string | { readonly secret: string }>>>({
    type: 'object',
    additionalProperties: {
      ...textOr(map({ secret: text }, {}), 'a string, or {secret: name}'),
      minLength: 0,
    },
    says: keysSuchAs('{LANG: C.UTF-8}'),
  }),
  composition: oneOf('single', 'steps'),
  steps: list(stepSchema, { minItems: 1, maxItems: stepLimit }),
  timeouts: map({}, { run: waiting, step: waiting, queue: waiting }, { says: keysSuchAs('{run: 1h}') }),
  cancel: map({}, { signal: oneOf(...cancelSignals), grace: duration }, { says: keysSuchAs('{grace: 30s}') }),
  concurrency,
  retry,
  on_lost: oneOf('fail', 'retry'),
  security_profile: oneOf('secure', 'permissive', 'disabled'),
  exec_profile: schemaOf<'standard'>({ type: 'string', pattern: '^standard$', says: standardOnly }),
  run_as: string({
    pattern: '^[A-Za-z_][A-Za-z0-9_.-]{0,31}$',
    says: 'the name of a user of the host, such as `backup`',
  }),
  permissions: map(
    {},
    {
      network: oneOf('none', 'all'),
      read: list(path),
      write: list(path),
      kv: map(
        {},
        { read: list(kvNamespace, few), write: list(kvNamespace, few) },
        { says: keysSuchAs('{read: [shop/orders]}') },
      ),
      resources,
    },
    { says: keysSuchAs('{network: all}') },
  ),
  artifacts: map(
    {},
    {
      paths: list(textOr(artifact, 'a path, or {path, name, media_type}')),
      mode: schemaOf<'immutable'>({ type: 'string', pattern: '^immutable$', says: immutableOnly }),
      default_key_pattern: text,
      ttl: waiting,
    },
    { says: keysSuchAs("{paths: ['*.csv']}") },
  ),
  logs: map({}, { max_size: size }, { says: keysSuchAs('{max_size: 10MiB}') }),
  schedules: list(schedule, { maxItems: 100 }),
  webhooks: list(webhook, { maxItems: 20 }),
  triggers: list(trigger, { maxItems: 20 }),
  expect: map(
    {},
    {
      duration: string({ format: 'span-or-auto', says: '`auto`, or a duration above zero such as `30m`' }),
      by: string({ pattern: timeOfDayPattern, says: 'a time of day such as `06:00`' }),
      every: waiting,
    },
    { says: keysSuchAs('{duration: 30m}') },
  ),
  agents: map(
    {},
    { expose: flag, read_only: flag, idempotent: flag, detach: flag, approval: flag },
    { says: keysSuchAs('{expose: true}') },
  ),
  notify: schemaOf<Notify | readonly Notify[]>({
    ...notify,
    type: ['object', 'array'],
    items: notify,
    minItems: 1,
    maxItems: 10,
    says: 'a map of keys such as `{channel: NAME, on: [failed]}`, or a list of maps',
  }),
};
export const configSchema = map({}, members, { hints: jobKeyHints });

const compile = createCompiler({
  span: (value) => parseDuration(value) !== undefined,
  'span-above-zero': (value) => (parseDuration(value) ?? 0) > 0,
  'span-or-auto': (value) => value === 'auto' || (parseDuration(value) ?? 0) > 0,
  size: (value) => (parseSize(value) ?? 0) > 0,
  timezone: isTimezone,
  instant: (value) => parseTimestampUs(value) !== undefined,
  'media-type': isMediaType,
  webhook: isHttpUrl,
});

/**
 * Checks only the names of keys. Most jobs use few keys, so the schema of a key's value is compiled when the first job
 * uses that key.
 */
const keys = { ...configSchema, properties: Object.fromEntries(Object.keys(members).map((name) => [name, {}])) };
/** Each schema is for the whole file, so that an error has its full path. */
const memberSchemas = Object.entries(members).map(
  ([name, schema]) => [name, { properties: { [name]: schema } }] as const,
);
const checks = new Map<object, ValidateFunction>();

function checkOf(schema: object): ValidateFunction {
  const known = checks.get(schema);
  if (known) return known;
  const made = compile(schema);
  checks.set(schema, made);
  return made;
}

/** Finds the errors that a single member can have: unknown keys, wrong types and wrong values. */
export function checkConfig(value: JsonValue): { readonly config: RawConfig } | { readonly errors: MemberError[] } {
  const checkKeys = checkOf(keys);
  const errors = checkKeys(value) ? [] : [...(checkKeys.errors ?? [])];
  for (const [name, member] of memberSchemas) {
    if (!isObject(value) || !Object.hasOwn(value, name)) continue;
    const check = checkOf(member);
    if (!check(value)) errors.push(...(check.errors ?? []));
  }
  if (errors.length > 0) return { errors: toMemberErrors(errors, () => 'key') };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the schemas have checked it
  return { config: value as RawConfig };
}
