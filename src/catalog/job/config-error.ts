// An error in a config.yaml or in arguments, before its line or its JSON Pointer is known.

import type { Spot } from './config-text.ts';

export type MemberError = {
  /** The path to the member, even when the member is missing. */
  readonly path: readonly string[];
  readonly spot: Spot;
  readonly keyword: string;
  readonly message: string;
};

/** The most errors that are listed. More errors would hide the first ones. */
export const errorLimit = 100;

export function ruleError(path: readonly string[], message: string, spot: Spot = 'value'): MemberError {
  return { path, spot, keyword: 'rule', message };
}

export function within(path: readonly string[], errors: readonly MemberError[]): MemberError[] {
  return errors.map((error) => ({ ...error, path: [...path, ...error.path] }));
}

/** For example `timeouts.run: must be a duration …`. A message that names its member itself stays as it is. */
export function errorText({ path, spot, keyword, message }: MemberError): string {
  return spot !== 'value' || keyword === 'rule' || path.length === 0 ? message : `\`${path.join('.')}\` ${message}`;
}
