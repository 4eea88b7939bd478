// Checks the sub-runs of a job before a run of the job is created (ADR 0065). Finds jobs that do not exist, circles,
// nesting that is too deep, secrets written into a job, and what untrusted sources may not use. Each sub-run is checked
// again when it starts, because jobs may change while a run is in progress.

import { secretDefaultOf } from '../../catalog/arguments/arguments.ts';
import { storedSecretIn } from '../../catalog/arguments/secret-arguments.ts';
import type { CatalogEntry } from '../../catalog/catalog.ts';
import { fromOf } from '../../catalog/expression/expression.ts';
import { parseExpression } from '../../catalog/expression/expression-syntax.ts';
import { secretsOfEnvironment } from '../../catalog/job/named-secrets.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';
import { callRefusal, notifyRefusal, secretsRefusal, type UsingSource } from '../../domain/policy.ts';
import { Problem } from '../../domain/problem.ts';

/** How deep sub-runs may be nested. */
export const deepestSubRun = 8;

/** For each secret argument, the name of the stored secret that it gets its value from. */
type StoredArgs = Readonly<Record<string, string>>;

/**
 * Returns the first error; undefined when all sub-runs are fine. `storedArgs` belong to the run that is to be created.
 * `find` returns undefined for a job that cannot be used.
 */
export function subRunProblem(
  top: CatalogEntry,
  storedArgs: StoredArgs,
  find: (idOrAlias: string) => CatalogEntry | undefined,
): Problem | undefined {
  const sound = new Set<string>();
  const invalid = (why: string): Problem =>
    new Problem('job-invalid', `The job '${top.definition.id}' cannot run: ${why}.`);
  const visit = (entry: CatalogEntry, way: readonly string[]): Problem | undefined => {
    const { definition: one } = entry;
    if (way.includes(one.id)) return invalid(`the jobs start each other in a circle: ${[...way, one.id].join(' → ')}`);
    if (way.length > deepestSubRun)
      return invalid(`its sub-runs are more than ${deepestSubRun} deep: ${[...way, one.id].join(' → ')}`);
    if (sound.has(`${way.length} ${one.id}`)) return undefined;
    const stored = way.length === 0 ? storedArgs : Object.fromEntries(storedSecretsOf(one, {}).ofArguments);
    for (const { id, action } of one.steps) {
      if (action.kind !== 'job') continue;
      const child = find(action.jobId);
      const here = way.length === 0 ? `its step '${id}'` : `the step '${id}' of '${one.id}'`;
      if (!child) return invalid(`${here} runs the job '${action.jobId}', which does not exist or cannot be used`);
      const wrong = whatIsWrongWithArguments(one, action, child.definition);
      if (wrong !== undefined) return invalid(`${here} ${wrong}`);
      const problem = refuseUntrusted(entry, child, action.args, stored) ?? visit(child, [...way, one.id]);
      if (problem) return problem;
    }
    sound.add(`${way.length} ${one.id}`);
    return undefined;
  };
  return visit(top, []);
}

type SubRun = { readonly jobId: string; readonly args: JsonObject };

function whatIsWrongWithArguments(one: JobDefinition, { jobId, args }: SubRun, child: JobDefinition) {
  const literal = child.secretArgs.find((name) => typeof args[name] === 'string');
  if (literal !== undefined) {
    const argument = `'${literal}', a secret argument of '${jobId}'`;
    return `contains a text for ${argument}: everyone who may see the job could read it`;
  }
  const given = handedSecret(one, args, child.secretArgs);
  if (given === undefined) return undefined;
  return `passes the secret argument '${given.secret}' to '${given.to}' of '${jobId}', which is not a secret argument`;
}

/**
 * Returns why the sources of the two jobs do not allow the sub-run: either the parent may not start the child, or the
 * child may not have the secrets or the notifications that it would get.
 */
function refuseUntrusted(
  { definition: one, source }: CatalogEntry,
  { definition: child, source: childSource }: CatalogEntry,
  args: JsonObject,
  storedArgs: StoredArgs,
): Problem | undefined {
  const { names } = storedSecretsOf(child, args);
  return (
    callRefusal(one.id, source, { id: child.id, source: childSource.name }) ??
    secretsRefusal(child.id, childSource, [...names, ...handedStored(args, child.secretArgs, storedArgs)]) ??
    notifyRefusal(child, childSource)
  );
}

/**
 * Checks a sub-run when it starts: jobs may have changed since its parent was created.
 * @throws Problem source-untrusted
 */
export function assertMayStart(
  parent: { readonly id: string; readonly source: UsingSource | undefined; readonly storedArgs: StoredArgs },
  { definition, source }: CatalogEntry,
  args: JsonObject,
): void {
  const handed = handedStored(args, definition.secretArgs, parent.storedArgs);
  const problem =
    (parent.source && callRefusal(parent.id, parent.source, { id: definition.id, source: source.name })) ??
    secretsRefusal(definition.id, source, handed);
  if (problem) throw problem;
}

/** The stored secrets that a run with these arguments would get. */
export function storedSecretsOf(job: JobDefinition, given: JsonObject) {
  const ofArguments = new Map<string, string>();
  for (const name of job.secretArgs) {
    const value = Object.hasOwn(given, name) ? given[name] : secretDefaultOf(job, name);
    const stored = value === undefined ? undefined : storedSecretIn(value);
    if (stored !== undefined) ofArguments.set(name, stored);
  }
  return { ofArguments, names: [...ofArguments.values(), ...secretsOfEnvironment(job)] };
}

/** The stored secrets that expressions of a step hand to the secret arguments of its sub-run. */
function handedStored(args: JsonObject, takesSecrets: readonly string[], storedArgs: StoredArgs): string[] {
  if (Object.keys(storedArgs).length === 0) return [];
  return takesSecrets.flatMap((to) => {
    const text = Object.hasOwn(args, to) ? fromOf(args[to] ?? null) : undefined;
    if (text === undefined) return [];
    const { args: used } = parseExpression(text).references;
    return Object.entries(storedArgs).flatMap(([name, secret]) => (used === 'all' || used.has(name) ? [secret] : []));
  });
}

/** An argument that would show a secret of the job. */
function handedSecret(
  { secretArgs }: JobDefinition,
  args: JsonObject,
  takesSecrets: readonly string[],
): { readonly secret: string; readonly to: string } | undefined {
  if (secretArgs.length === 0) return undefined;
  for (const [to, value] of Object.entries(args)) {
    const text = fromOf(value);
    if (text === undefined || takesSecrets.includes(to)) continue;
    const { args: used } = parseExpression(text).references;
    const secret = used === 'all' ? undefined : secretArgs.find((name) => used.has(name));
    if (secret !== undefined) return { secret, to };
  }
  return undefined;
}
