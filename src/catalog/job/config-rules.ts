// Rules that the schema of config.yaml cannot express: its members must agree with each other and with the job's files.

import type { JsonObject } from '../../domain/job.ts';
import { namesOthersHome, othersHome } from '../../lib/files/home-path.ts';
import { isStoredSecret } from '../arguments/secret-arguments.ts';
import { isObject } from '../arguments/subschemas.ts';
import { whatIsWrongWithVariable } from '../arguments/variable-names.ts';
import type { JobPlace } from '../source/job-files.ts';
import { type MemberError, ruleError, within } from './config-error.ts';
import type { RawConfig, RawPath } from './config-schema.ts';
import { checkGraph } from './step-graph.ts';
import { checkStep } from './step-rules.ts';

/** The form of `config` must have been checked. `args` is undefined when the arguments have errors. */
export async function checkRules(
  config: RawConfig,
  args: { readonly argspec: JsonObject; readonly secretArgs: readonly string[] } | undefined,
  place: JobPlace,
): Promise<MemberError[]> {
  return [
    ...checkWhatRuns(config),
    ...checkSteps(config, place),
    ...checkEnvNames(config),
    ...checkPatterns(config),
    ...checkNotify(config),
    ...(args ? await checkUses(config, args.argspec, args.secretArgs) : []),
  ];
}

/** Checks everything that refers to arguments. */
async function checkUses(
  config: RawConfig,
  argspec: JsonObject,
  secretArgs: readonly string[],
): Promise<MemberError[]> {
  const properties = isObject(argspec.properties) ? argspec.properties : {};
  return [
    ...(mayHaveExpressions(config) ? (await expressions()).checkExpressions(config, argspec, secretArgs) : []),
    ...checkEnv(config, Object.keys(properties), secretArgs),
    ...checkPaths(['permissions', 'read'], config.permissions?.read, properties, secretArgs),
    ...checkPaths(['permissions', 'write'], config.permissions?.write, properties, secretArgs),
  ];
}

function mayHaveExpressions({ steps, concurrency }: RawConfig): boolean {
  return steps !== undefined || concurrency?.key !== undefined;
}

/** Loads CEL only for a job with expressions, because it takes as long to load as the rest of the catalog. */
function expressions() {
  return import('./job-expressions.ts');
}

function checkSteps({ steps = [], ulc_profile }: RawConfig, place: JobPlace): MemberError[] {
  return within(
    ['steps'],
    [...steps.flatMap((step, at) => within([String(at)], checkStep(step, ulc_profile, place))), ...checkGraph(steps)],
  );
}

export function hasSteps(config: RawConfig): boolean {
  return config.composition === 'steps' || (config.composition === undefined && config.steps !== undefined);
}

function checkWhatRuns(config: RawConfig): MemberError[] {
  const errors: MemberError[] = [];
  const isContainer = config.executor === 'container';
  if (hasSteps(config)) {
    if (!config.steps) errors.push(ruleError(['steps'], '`composition: steps` needs `steps`', 'missing'));
    if (config.command !== undefined) {
      errors.push(ruleError(['command'], 'a job with steps must not have a `command`: each step has its own', 'key'));
    }
  } else {
    if (config.steps)
      errors.push(ruleError(['steps'], 'a job with `composition: single` must not have `steps`', 'key'));
    if (config.command === undefined && !isContainer) {
      errors.push(ruleError(['command'], '`command` is missing: it says what the job runs', 'missing'));
    }
  }
  if (isContainer && config.image === undefined) {
    errors.push(ruleError(['image'], '`executor: container` needs an `image`', 'missing'));
  }
  if (!isContainer && config.image !== undefined) {
    errors.push(ruleError(['image'], '`image` needs `executor: container`', 'key'));
  }
  return errors;
}

function checkEnvNames(config: RawConfig): MemberError[] {
  return Object.keys(config.env ?? {}).flatMap((name) => {
    const wrong = whatIsWrongWithVariable(name);
    return wrong === undefined ? [] : [ruleError(['env', name], `\`${name}\` ${wrong}`, 'key')];
  });
}

function checkEnv(config: RawConfig, argNames: readonly string[], secretArgs: readonly string[]): MemberError[] {
  return Object.entries(config.env ?? {}).flatMap(([name, value]) => {
    if (whatIsWrongWithVariable(name) !== undefined) return [];
    if (argNames.includes(name)) {
      return [ruleError(['env', name], `the argument \`${name}\` would become the same variable`, 'key')];
    }
    if (typeof value === 'string' || secretArgs.includes(value.secret)) return [];
    if (argNames.includes(value.secret)) {
      return [ruleError(['env', name, 'secret'], `the argument \`${value.secret}\` is not \`format: secret\``)];
    }
    if (isStoredSecret(value)) return [];
    return [
      ruleError(
        ['env', name, 'secret'],
        `\`${value.secret}\` cannot be the name of a secret: use letters, digits, \`.\`, \`_\` and \`-\``,
      ),
    ];
  });
}

function checkPaths(
  path: readonly string[],
  grants: readonly RawPath[] | undefined,
  properties: JsonObject,
  secretArgs: readonly string[],
): MemberError[] {
  return (grants ?? []).flatMap((grant, at) => {
    if (typeof grant === 'string')
      return namesOthersHome(grant) ? [ruleError([...path, String(at)], `\`${grant}\` ${othersHome}`)] : [];
    const schema = Object.hasOwn(properties, grant.arg) ? properties[grant.arg] : undefined;
    const isText = isObject(schema) && schema.type === 'string' && !secretArgs.includes(grant.arg);
    if (isText) return [];
    const message =
      schema === undefined
        ? `there is no argument \`${grant.arg}\``
        : `the argument \`${grant.arg}\` must have \`type: string\` and must not be a secret`;
    return [ruleError([...path, String(at), 'arg'], message)];
  });
}

function checkNotify({ notify = [] }: RawConfig): MemberError[] {
  return [notify].flat().flatMap(({ webhook, channel, digest }, at) => {
    const path = ['notify', ...(Array.isArray(notify) ? [String(at)] : [])];
    if (channel === undefined && webhook !== undefined && digest !== undefined)
      return [
        ruleError(
          [...path, 'digest'],
          '`digest` needs a `channel`: a webhook gets each notification separately',
          'key',
        ),
      ];
    if ((webhook === undefined) !== (channel === undefined)) return [];
    return webhook === undefined
      ? [ruleError([...path, 'webhook'], '`webhook` or `channel` is missing', 'missing')]
      : [ruleError([...path, 'channel'], '`channel` and `webhook` must not be used together', 'key')];
  });
}

function checkPatterns(config: RawConfig): MemberError[] {
  return (config.artifacts?.paths ?? []).flatMap((entry, at) => {
    const pattern = typeof entry === 'string' ? entry : entry.path;
    const inside = pattern.replace(/^\/workspace\//, '');
    const path = ['artifacts', 'paths', String(at), ...(typeof entry === 'string' ? [] : ['path'])];
    if (/^~(?:\/|$)/.test(pattern))
      return [
        ruleError(path, 'must not begin with `~/`: paths already start in the workspace, which is the home of a job'),
      ];
    if (!inside.startsWith('/') && !inside.split('/').includes('..')) return [];
    return [ruleError(path, 'must be a path or pattern inside the workspace')];
  });
}
