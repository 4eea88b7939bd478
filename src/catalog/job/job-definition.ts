// Turns a config.yaml of valid form into the job's definition with every default filled in, or lists what does not fit
// together.

import type { UlcProfile } from '../../domain/command-action.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';
import type { NotifyRule } from '../../domain/notification.ts';
import type { Expectation } from '../../domain/outcome/late.ts';
import type { Resources } from '../../domain/resources.ts';
import { parseSize } from '../../lib/units.ts';
import { translateListForm } from '../arguments/list-form.ts';
import { findSecretArgs } from '../arguments/secret-arguments.ts';
import { isObject } from '../arguments/subschemas.ts';
import type { JobPlace } from '../source/job-files.ts';
import { type Command, readCommand } from './command.ts';
import { type MemberError, ruleError, within } from './config-error.ts';
import { checkRules, hasSteps } from './config-rules.ts';
import type { RawConfig } from './config-schema.ts';
import type { readSchedules } from './schedule-rules.ts';
import { argumentKeys, type SoundPart } from './sound-part.ts';
import { toConcurrency, toMs, toSteps } from './step-definition.ts';
import type { readTriggers } from './trigger-rules.ts';
import type { readWebhooks } from './webhook-rules.ts';

const defaultLogSizeBytes = 2 ** 30;
const defaultGraceMs = 10_000;

type Named = { readonly id: string; readonly source: string; readonly path: string };

/** Paths in errors start at the top of config.yaml. */
export async function toDefinition(
  config: RawConfig,
  named: Named,
  place: JobPlace,
): Promise<{ readonly definition: JobDefinition } | { readonly errors: readonly MemberError[] }> {
  const { argspec, secretArgs, command, ulcProfile, schedules, webhooks, triggers, errors } = await readParts(
    config,
    named.id,
    place,
    true,
  );
  if (errors.length > 0) return { errors };

  const steps = toSteps(config, { kind: 'command', command, ulcProfile }, place);
  const ulcProfiles = steps.flatMap(({ action }) => (action.kind === 'command' ? [action.ulcProfile] : []));
  const slash = named.id.lastIndexOf('/');
  const definition: JobDefinition = {
    ...named,
    name: named.id.slice(slash + 1),
    namespace: slash === -1 ? '' : named.id.slice(0, slash),
    title: config.name ?? null,
    description: config.description ?? null,
    version: config.version ?? '1.0.0',
    tags: config.tags ?? [],
    enabled: config.enabled ?? true,
    executor: config.executor ?? 'proc',
    image: config.image ?? null,
    argspec,
    secretArgs,
    env: config.env ?? {},
    composition: hasSteps(config) ? 'steps' : 'single',
    steps,
    concurrency: toConcurrency(config.concurrency),
    onLost: config.on_lost ?? 'fail',
    timeouts: {
      runMs: toMs(config.timeouts?.run),
      stepMs: toMs(config.timeouts?.step),
      queueMs: toMs(config.timeouts?.queue),
    },
    cancel: { signal: config.cancel?.signal ?? 'TERM', graceMs: toMs(config.cancel?.grace) ?? defaultGraceMs },
    securityProfile: config.security_profile ?? null,
    runAs: config.run_as ?? null,
    permissions: {
      network: config.permissions?.network ?? null,
      read: config.permissions?.read ?? [],
      write: config.permissions?.write ?? [],
      ...(config.permissions?.kv && {
        kv: { read: config.permissions.kv.read ?? [], write: config.permissions.kv.write ?? [] },
      }),
      resources: readResources(config),
    },
    artifacts: {
      paths: (config.artifacts?.paths ?? []).map((entry) =>
        typeof entry === 'string'
          ? { path: entry, name: null, mediaType: null }
          : { path: entry.path, name: entry.name ?? null, mediaType: entry.media_type ?? null },
      ),
      ttlMs: toMs(config.artifacts?.ttl),
    },
    logs: { maxSizeBytes: toBytes(config.logs?.max_size) ?? defaultLogSizeBytes },
    schedules,
    webhooks,
    triggers,
    agents: {
      expose: config.agents?.expose ?? null,
      readOnly: config.agents?.read_only ?? false,
      idempotent: config.agents?.idempotent ?? false,
      detach: config.agents?.detach ?? false,
      approval: config.agents?.approval ?? false,
    },
    notify: toNotify(config.notify),
    expect: toExpectation(config.expect),
    unsupported: findUnsupported(config, ulcProfiles),
  };
  return { definition };
}

/** Finds further errors in a config.yaml that already has errors of form. */
export async function findErrors(
  { config, isReal, areArgsKnown }: SoundPart,
  id: string,
  place: JobPlace,
): Promise<MemberError[]> {
  return (await readParts(config, id, place, areArgsKnown)).errors.filter(isReal);
}

async function readParts(config: RawConfig, id: string, place: JobPlace, mayNameArgs: boolean) {
  const { argspec, errors: argErrors } = await readArgspec(config);
  // If the job's arguments are not known, members that refer to an argument cannot be checked.
  const areArgsKnown = mayNameArgs && argErrors.length === 0;
  const secretArgs = areArgsKnown ? findSecretArgs(argspec) : [];
  const args = areArgsKnown ? { argspec, secretArgs } : undefined;
  const noCommand: Command = { command: [], ulcProfile: config.ulc_profile ?? 'ulc.exec', errors: [] };
  // In a container `./` is a folder of the image, so the command cannot be checked here.
  const own = config.executor === 'container' ? undefined : config.command;
  const { command, ulcProfile, errors } = own === undefined ? noCommand : readCommand(own, config.ulc_profile, place);
  const { schedules, errors: scheduleErrors } = await schedulesOf(config, id, args);
  const { webhooks, errors: webhookErrors } = await webhooksOf(config, id, args);
  const { triggers, errors: triggerErrors } = await triggersOf(config, id, { job: args, place });
  const all = [
    ...argErrors,
    ...within(['command'], errors),
    ...(await checkRules(config, args, place)),
    ...scheduleErrors,
    ...webhookErrors,
    ...triggerErrors,
  ];
  return { argspec, secretArgs, command, ulcProfile, schedules, webhooks, triggers, errors: all };
}

/** Loads the checks with the first argspec, because the schema of JSON Schema and RE2 are large. */
async function checked(argspec: JsonObject): Promise<MemberError[]> {
  const { checkArgspec } = await import('../arguments/argspec.ts');
  return checkArgspec(argspec);
}

async function schedulesOf({ schedules = [] }: RawConfig, id: string, args: Parameters<typeof readSchedules>[2]) {
  if (schedules.length === 0) return { schedules: [], errors: [] };
  const { readSchedules: read } = await import('./schedule-rules.ts');
  return read(schedules, id, args);
}

async function webhooksOf({ webhooks = [] }: RawConfig, id: string, args: Parameters<typeof readWebhooks>[2]) {
  if (webhooks.length === 0) return { webhooks: [], errors: [] };
  const { readWebhooks: read } = await import('./webhook-rules.ts');
  return read(webhooks, id, args);
}

async function triggersOf({ triggers = [] }: RawConfig, id: string, at: Parameters<typeof readTriggers>[2]) {
  if (triggers.length === 0) return { triggers: [], errors: [] };
  const { readTriggers: read } = await import('./trigger-rules.ts');
  return read(triggers, id, at);
}

type Argspec = { readonly argspec: JsonObject; readonly errors: readonly MemberError[] };

const noArguments: JsonObject = { type: 'object', properties: {} };

/** Reads the arguments from `argspec`, from the list form in `args` or `argspec.args`, or from the map `arguments`. */
async function readArgspec(config: RawConfig): Promise<Argspec> {
  const { argspec, args } = config;
  const [first, second] = argumentKeys.filter((key) => config[key] !== undefined);
  if (second !== undefined) {
    const message = `\`${second}\` and \`${first}\` must not be used together`;
    return { argspec: noArguments, errors: [ruleError([second], message, 'key')] };
  }
  const nested = argspec && Object.keys(argspec).join() === 'args' ? argspec.args : undefined;
  if (Array.isArray(nested) && nested.every(isObject)) {
    return readList(nested, ['argspec', 'args']);
  }
  if (args) return readList(args, ['args']);
  if (config.arguments) return readNamed(config.arguments);
  if (!argspec) return { argspec: noArguments, errors: [] };
  const whole = Object.hasOwn(argspec, 'type') ? argspec : { type: 'object', ...argspec };
  return { argspec: whole, errors: within(['argspec'], await checked(whole)) };
}

async function readList(list: readonly JsonObject[], at: readonly string[]): Promise<Argspec> {
  const { argspec, errors, originOf } = translateListForm(list);
  const found = errors.length > 0 ? [] : await checked(argspec);
  return {
    argspec,
    errors: within(at, [...errors, ...found.map((error) => ({ ...error, path: originOf(error.path) }))]),
  };
}

async function readNamed(named: Readonly<Record<string, JsonObject>>): Promise<Argspec> {
  const names = Object.keys(named);
  const list = names.map((name) => ({ ...named[name], name }));
  const { argspec, errors } = await readList(list, []);
  const errorsByName = errors.map((error) => {
    const [position = '', ...rest] = error.path;
    return { ...error, path: [names[Number(position)] ?? '', ...rest] };
  });
  return { argspec, errors: within(['arguments'], errorsByName) };
}

function toExpectation(expect: RawConfig['expect']): Expectation | null {
  if (!expect) return null;
  const { duration, by = null, every } = expect;
  return { durationMs: duration === 'auto' ? duration : toMs(duration), by, everyMs: toMs(every) };
}

function toNotify(notify: RawConfig['notify']): readonly NotifyRule[] {
  return [notify ?? []].flat().map(({ on = ['failed'], webhook, channel = '', ...fewer }) => {
    const [repeatMs, digestMs] = [toMs(fewer.repeat), toMs(fewer.digest)];
    const terms = {
      on,
      ...(fewer.after !== undefined && { after: fewer.after }),
      ...(repeatMs !== null && { repeatMs }),
      ...(digestMs !== null && { digestMs }),
    };
    return webhook === undefined ? { ...terms, channel } : { ...terms, webhook };
  });
}

function readResources(config: RawConfig): Resources {
  const { cpu = null, memory, pids = null, workspace } = config.permissions?.resources ?? {};
  return { cpu, memoryBytes: toBytes(memory), pids, workspaceBytes: toBytes(workspace) };
}

function toBytes(size: string | number | undefined): number | null {
  return size === undefined ? null : (parseSize(String(size)) ?? null);
}

/**
 * Keys that flwd understands but does not act on yet. A job with such a key is listed, but starting it is refused with
 * the key's name.
 */
function findUnsupported(config: RawConfig, ulcProfiles: readonly UlcProfile[]): string[] {
  const found: Readonly<Record<string, boolean>> = {
    'executor: container': config.executor === 'container',
    'ulc_profile: ulc.shell.pwsh': ulcProfiles.includes('ulc.shell.pwsh'),
    'artifacts.default_key_pattern': config.artifacts?.default_key_pattern !== undefined,
  };
  return Object.keys(found).filter((key) => found[key]);
}
