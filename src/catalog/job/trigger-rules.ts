// Checks the triggers of a config.yaml against their job: expressions and arguments (ADR 0069).

import type { JobDefinition } from '../../domain/job.ts';
import type { JobTrigger } from '../../domain/trigger/job-trigger.ts';
import { createSha256 } from '../../lib/sha256.ts';
import { endedRunRoots } from '../expression/expression-syntax.ts';
import { type MemberError, ruleError, within } from './config-error.ts';
import type { RawTrigger } from './config-schema.ts';
import { checkNames, readExpression } from './mapped-arguments.ts';

type JobArguments = Pick<JobDefinition, 'argspec'>;

/**
 * Paths in errors start at the top of config.yaml.
 * @param job undefined when its arguments have errors
 */
export function readTriggers(
  triggers: readonly RawTrigger[],
  jobId: string,
  job: JobArguments | undefined,
): { readonly triggers: readonly JobTrigger[]; readonly errors: readonly MemberError[] } {
  const read = triggers.map((raw) => toTrigger(raw, jobId));
  const errors = triggers.flatMap((raw, at) => {
    const found = checkTrigger(raw, job);
    const first = read.findIndex(({ id }) => id === read[at]?.id);
    if (first !== at) found.push(ruleError([], `this trigger is the same as \`triggers.${first}\``));
    return within(['triggers', String(at)], found);
  });
  return { triggers: read, errors };
}

function toTrigger(raw: RawTrigger, jobId: string): JobTrigger {
  const { job, on = ['success'], args = {} } = raw;
  const condition = raw.if ?? null;
  const sorted = Object.entries(args).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const hash = createSha256()
    .update(JSON.stringify([jobId, job, on.toSorted(), condition, sorted]))
    .digest('hex');
  return { id: `trigger_${hash.slice(0, 26).toUpperCase()}`, job, on, condition, args };
}

function checkTrigger({ if: condition, args = {} }: RawTrigger, job: JobArguments | undefined): MemberError[] {
  const expressions = [
    ...(condition === undefined ? [] : [readExpression(['if'], condition, endedRunRoots, true)]),
    ...Object.entries(args).map(([name, text]) => readExpression(['args', name], text, endedRunRoots, false)),
  ];
  const errors = expressions.flatMap((one) => ('error' in one ? [one.error] : []));
  return job ? [...errors, ...checkNames(args, job)] : errors;
}
