// One error found in a part of a config.yaml or of arguments, before anyone knows its line or its JSON Pointer.

import type { Spot } from './config-text.ts';

export type MemberError = {
  /** To the member itself, also where it is missing. */
  readonly path: readonly string[];
  readonly spot: Spot;
  readonly keyword: string;
  readonly message: string;
};

/** More would hide the first ones rather than help. */
export const errorLimit = 100;

export function ruleError(path: readonly string[], message: string, spot: Spot = 'value'): MemberError {
  return { path, spot, keyword: 'rule', message };
}

export function within(path: readonly string[], errors: readonly MemberError[]): MemberError[] {
  return errors.map((error) => ({ ...error, path: [...path, ...error.path] }));
}

/** `timeouts.run: must be a duration …`; what names its member itself stays as it is. */
export function errorText({ path, spot, keyword, message }: MemberError): string {
  return spot !== 'value' || keyword === 'rule' || path.length === 0 ? message : `\`${path.join('.')}\` ${message}`;
}
