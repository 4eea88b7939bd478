// A step's matrix. Its variables become FLWD_MATRIX_…, and its values name instances such as `build[node=22]`.

import { findSameVariables } from '../arguments/variable-names.ts';
import { type MemberError, ruleError, within } from './config-error.ts';

const instanceLimit = 500;
const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
const textLimitChars = 100;

type Values = readonly (string | number | boolean)[];

/** Paths in errors start at the step. */
export function checkMatrix(matrix: Readonly<Record<string, Values>>): MemberError[] {
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
