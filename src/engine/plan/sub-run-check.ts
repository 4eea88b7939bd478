// Checks the sub-runs of a job before a run of it is created: jobs that do not exist, circles, nesting that is too
// deep, secrets written into a job. Jobs may change while a run is in progress, so each sub-run is checked again when
// it starts.

import { fromOf } from '../../catalog/expression/expression.ts';
import { parseExpression } from '../../catalog/expression/expression-syntax.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';

/** How deep sub-runs may be nested. */
export const deepestSubRun = 8;

/**
 * Describes the first error; undefined when all sub-runs are fine. `find` returns undefined for a job that cannot be
 * used.
 */
export function whatIsWrongWithSubRuns(
  job: JobDefinition,
  find: (idOrAlias: string) => JobDefinition | undefined,
): string | undefined {
  const sound = new Set<string>();
  const visit = (one: JobDefinition, way: readonly string[]): string | undefined => {
    if (way.includes(one.id)) return `the jobs start each other in a circle: ${[...way, one.id].join(' → ')}`;
    if (way.length > deepestSubRun) {
      return `its sub-runs are more than ${deepestSubRun} deep: ${[...way, one.id].join(' → ')}`;
    }
    if (sound.has(`${way.length} ${one.id}`)) return undefined;
    for (const { id, action } of one.steps) {
      if (action.kind !== 'job') continue;
      const child = find(action.jobId);
      const here = way.length === 0 ? `its step '${id}'` : `the step '${id}' of '${one.id}'`;
      if (!child) return `${here} runs the job '${action.jobId}', which is not there or cannot be used`;
      const literal = child.secretArgs.find((name) => typeof action.args[name] === 'string');
      if (literal !== undefined) {
        const argument = `'${literal}', a secret argument of '${action.jobId}'`;
        return `${here} contains a text for ${argument}: everyone who may see the job could read it`;
      }
      const given = handedSecret(one, action.args, child.secretArgs);
      if (given !== undefined) {
        const argument = `the secret argument '${given.secret}'`;
        return `${here} passes ${argument} to '${given.to}' of '${action.jobId}', which is not a secret argument`;
      }
      const wrong = visit(child, [...way, one.id]);
      if (wrong !== undefined) return wrong;
    }
    sound.add(`${way.length} ${one.id}`);
    return undefined;
  };
  return visit(job, []);
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
