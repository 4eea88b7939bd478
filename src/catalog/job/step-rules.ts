// Checks one step by itself: it does exactly one thing, and all of its keys fit what it does.

import type { UlcProfile } from '../../domain/command-action.ts';
import { findSameVariables } from '../arguments/variable-names.ts';
import type { JobPlace } from '../source/job-files.ts';
import { profileOfStep, readCommand } from './command.ts';
import { type MemberError, ruleError, within } from './config-error.ts';
import type { RawStep } from './config-schema.ts';
import { whatIsWrongWithId } from './job-id.ts';

const actions = ['script', 'command', 'job', 'approval'] as const;
const instanceLimit = 500;
const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
const textLimitChars = 100;

type Values = readonly (string | number | boolean)[];

/** Paths in errors start at the step. */
export function checkStep(step: RawStep, profile: UlcProfile | undefined, place: JobPlace): MemberError[] {
  const errors: MemberError[] = [];
  const named = actions.filter((action) => Object.hasOwn(step, action));
  if (named.length !== 1) {
    errors.push(
      ruleError(
        [],
        `a step must have exactly one of ${actions.join(', ')}, but \`${step.id}\` has ${named.length || 'none of them'}`,
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

const scriptIsFile =
  'a script is a file of the job, so it must begin with ./ (put commands into a file such as ./run.sh)';

function checkCommands(step: RawStep, profile: UlcProfile | undefined, place: JobPlace): MemberError[] {
  const errors: MemberError[] = [];
  for (const action of ['script', 'command'] as const) {
    const command = step[action];
    if (command === undefined) continue;
    if (action === 'script' && step.script?.startsWith('./') === false) {
      errors.push(ruleError([action], scriptIsFile));
      continue;
    }
    const { errors: found } = readCommand(command, profileOfStep(command, profile), place);
    errors.push(...found.map((error) => ({ ...error, path: [action, ...error.path] })));
  }
  return errors;
}

/** A step's matrix. Its variables become FLWD_MATRIX_…, and its values name instances such as `build[node=22]`. */
function checkMatrix(matrix: Readonly<Record<string, Values>>): MemberError[] {
  const errors: MemberError[] = [];
  for (const [name, values] of Object.entries(matrix)) {
    if (!namePattern.test(name)) {
      errors.push(
        ruleError(
          [name],
          'the name of a matrix variable must begin with a letter and contain only letters, digits, `_` and `-`',
          'key',
        ),
      );
    }
    errors.push(...checkValues(name, values));
  }
  for (const { name, before } of findSameVariables(Object.keys(matrix))) {
    errors.push(ruleError([name], `\`${before}\` and \`${name}\` would become the same variable`, 'key'));
  }
  const instances = Object.values(matrix).reduce((product, values) => product * values.length, 1);
  if (instances > instanceLimit) {
    errors.push(ruleError([], `the matrix makes ${instances} instances, more than the ${instanceLimit} allowed`));
  }
  return within(['matrix'], errors);
}

function checkValues(name: string, values: Values): MemberError[] {
  const seen = new Set<string>();
  return values.flatMap((value, at) => {
    const text = String(value);
    const isTwice = seen.has(text);
    seen.add(text);
    if (isTwice) return [ruleError([name, String(at)], `\`${text}\` would be the same instance as an earlier value`)];
    const isPlain = text !== '' && text.length <= textLimitChars && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}[\],]/u.test(text);
    if (isPlain) return [];
    const message = `a value must have 1 to ${textLimitChars} characters, without \`[\`, \`]\`, commas and control characters`;
    return [ruleError([name, String(at)], message)];
  });
}
