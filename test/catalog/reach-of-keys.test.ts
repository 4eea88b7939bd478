// Which keys of config.yaml reach beyond the run, and the rule that holds for each in an untrusted source (ADR 0065).
// A new key fails this test until its rule is decided.

import { expect, test } from 'vitest';
import { configSchema } from '../../src/catalog/job/config-schema.ts';

/** Everything that the key does ends with the run, or concerns only the job's own runs. */
const within = 'stays within the run';
/** A job of an untrusted source that asks for more is refused (domain/policy.ts). */
const policy = 'policy: secure, no grants, no other user, the limits of the instance';
const secrets = 'secrets';
const calls = 'calls';
const schedules = 'schedules';
const webhooks = 'webhooks, and secrets for their keys';
const triggers = 'triggers';
const notify = 'notify';
const kv = 'kv';
/** An untrusted job cannot ask to be listed first or to be called harmless (server/handlers/job-views.ts). */
const hints = 'agents are told nothing in its favour';
const notYet = 'not supported yet';

/** The rule of each key, under its own name or under the name of the key that contains it. */
const reach: Readonly<Record<string, string>> = {
  name: within,
  description: within,
  version: within,
  tags: within,
  enabled: within,
  executor: notYet,
  image: notYet,
  command: within,
  ulc_profile: within,
  argspec: secrets,
  args: secrets,
  arguments: secrets,
  env: secrets,
  composition: within,
  'steps.id': within,
  'steps.name': within,
  'steps.script': within,
  'steps.command': within,
  'steps.job': calls,
  'steps.args': secrets,
  'steps.approval': within,
  'steps.needs': within,
  'steps.if': within,
  'steps.matrix': within,
  'steps.foreach': within,
  'steps.retry': within,
  'steps.timeout': within,
  'steps.continue_on_error': within,
  'steps.always': within,
  timeouts: within,
  cancel: within,
  'concurrency.limit': within,
  'concurrency.key': within,
  'concurrency.on_conflict': within,
  retry: within,
  on_lost: within,
  security_profile: policy,
  exec_profile: policy,
  run_as: policy,
  'permissions.network': policy,
  'permissions.read': policy,
  'permissions.write': policy,
  'permissions.kv': kv,
  'permissions.resources': policy,
  'artifacts.paths': within,
  'artifacts.mode': within,
  'artifacts.default_key_pattern': notYet,
  'artifacts.ttl': within,
  'logs.max_size': within,
  'schedules.cron': schedules,
  'schedules.at': schedules,
  'schedules.calendar': schedules,
  'schedules.except': schedules,
  'schedules.timezone': schedules,
  'schedules.args': schedules,
  'schedules.catch_up': schedules,
  'schedules.jitter': schedules,
  'schedules.enabled': schedules,
  'schedules.held': schedules,
  'schedules.labels': schedules,
  'schedules.heartbeat': 'notify, and secrets for one that holds the address',
  webhooks,
  triggers,
  'agents.expose': hints,
  'agents.read_only': hints,
  'agents.idempotent': hints,
  'agents.detach': within,
  'agents.approval': within,
  expect: within,
  notify,
};

type Schema = { readonly properties?: Readonly<Record<string, object>>; readonly items?: Schema };

/** The names of all keys, with nested keys down to the deepest level that the table names. */
function keysOf({ properties = {}, items }: Schema, prefix = ''): string[] {
  const own = Object.entries({ ...items?.properties, ...properties });
  return own.flatMap(([name, schema]) => {
    const key = `${prefix}${name}`;
    const isSplit = Object.keys(reach).some((known) => known.startsWith(`${key}.`));
    return isSplit ? keysOf(schema, `${key}.`) : [key];
  });
}

test('every key of config.yaml has a rule for untrusted sources', () => {
  expect(keysOf(configSchema).toSorted()).toEqual(Object.keys(reach).toSorted());
});
