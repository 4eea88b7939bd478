// Checks one step by itself: it does exactly one thing, and its keys fit that.

import type { UlcProfile } from '../../domain/command-action.ts';
import type { JobPlace } from '../source/job-files.ts';
import { profileOfStep, readCommand } from './command.ts';
import { type MemberError, ruleError } from './config-error.ts';
import type { RawStep } from './config-schema.ts';
import { whatIsWrongWithId } from './job-id.ts';
import { checkMatrix } from './matrix.ts';

const actions = ['script', 'command', 'job', 'approval'] as const;

/** Paths in errors start at the step. */
export function checkStep(step: RawStep, profile: UlcProfile | undefined, place: JobPlace): MemberError[] {
  const errors: MemberError[] = [];
  const named = actions.filter((action) => Object.hasOwn(step, action));
  if (named.length !== 1) {
    errors.push(
      ruleError(
        [],
        `a step must have exactly one of ${actions.join(', ')}, and \`${step.id}\` has ${named.length || 'none of them'}`,
      ),
    );
  }
  errors.push(...checkCommands(step, profile, place));
  const wrongId = step.job === undefined ? undefined : whatIsWrongWithId(step.job);
  if (wrongId !== undefined) errors.push(ruleError(['job'], `\`${step.job}\` cannot be the id of a job: ${wrongId}`));
  if (step.args && step.job === undefined)
    errors.push(ruleError(['args'], '`args` are only allowed in a step with `job`', 'key'));
  if (step.retry && step.approval) {
    errors.push(ruleError(['retry'], 'an approval is never retried: `retry` is only allowed in other steps', 'key'));
  }
  if (step.matrix && step.foreach !== undefined) {
    errors.push(ruleError(['foreach'], '`matrix` and `foreach` must not be used together', 'key'));
  }
  return [...errors, ...checkMatrix(step.matrix ?? {})];
}

function checkCommands(step: RawStep, profile: UlcProfile | undefined, place: JobPlace): MemberError[] {
  const errors: MemberError[] = [];
  for (const action of ['script', 'command'] as const) {
    const command = step[action];
    if (command === undefined) continue;
    if (action === 'script' && step.script?.startsWith('./') === false) {
      errors.push(ruleError([action], 'a script is a file of the job, so it must begin with ./'));
      continue;
    }
    const { errors: found } = readCommand(command, profileOfStep(command, profile), place);
    errors.push(...found.map((error) => ({ ...error, path: [action, ...error.path] })));
  }
  return errors;
}
