// A step's matrix: its variables become FLWD_MATRIX_…, its values the names of instances such as `build[node=22]`.

import { findSameVariables } from '../arguments/variable-names.ts';
import { type MemberError, ruleError, within } from './config-error.ts';

const instanceLimit = 500;
const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
const textLimitChars = 100;

type Values = readonly (string | number | boolean)[];

/** Paths are inside the step. */
export function checkMatrix(matrix: Readonly<Record<string, Values>>): MemberError[] {
  const errors: MemberError[] = [];
  for (const [name, values] of Object.entries(matrix)) {
    if (!namePattern.test(name)) {
      errors.push(ruleError([name], 'a variable of a matrix is letters, digits, `_` and `-`, first a letter', 'key'));
    }
    errors.push(...checkValues(name, values));
  }
  for (const { name, before } of findSameVariables(Object.keys(matrix))) {
    errors.push(ruleError([name], `\`${before}\` and \`${name}\` would be the same variable`, 'key'));
  }
  const instances = Object.values(matrix).reduce((product, values) => product * values.length, 1);
  if (instances > instanceLimit) {
    errors.push(ruleError([], `the matrix makes ${instances} instances: at most ${instanceLimit} are allowed`));
  }
  return within(['matrix'], errors);
}

function checkValues(name: string, values: Values): MemberError[] {
  const seen = new Set<string>();
  return values.flatMap((value, at) => {
    const text = String(value);
    const isTwice = seen.has(text);
    seen.add(text);
    if (isTwice) return [ruleError([name, String(at)], `\`${text}\` would be the same instance as one before it`)];
    const isPlain = text !== '' && text.length <= textLimitChars && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}[\],]/u.test(text);
    if (isPlain) return [];
    const message = `a value is 1 to ${textLimitChars} characters, no \`[\`, \`]\`, comma or control character among them`;
    return [ruleError([name, String(at)], message)];
  });
}
