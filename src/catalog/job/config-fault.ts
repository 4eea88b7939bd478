// One fault found in a part of a config.yaml or of arguments, before anyone knows its line or its JSON Pointer.

import type { Spot } from './config-text.ts';

export type MemberFault = {
  /** To the member itself, also where it is missing. */
  readonly path: readonly string[];
  readonly spot: Spot;
  readonly keyword: string;
  readonly message: string;
};

/** More would hide the first ones rather than help. */
export const faultLimit = 100;

export function ruleFault(path: readonly string[], message: string, spot: Spot = 'value'): MemberFault {
  return { path, spot, keyword: 'rule', message };
}

export function within(path: readonly string[], faults: readonly MemberFault[]): MemberFault[] {
  return faults.map((fault) => ({ ...fault, path: [...path, ...fault.path] }));
}

/** `timeouts.run: must be a duration …`; what names its member itself stays as it is. */
export function faultText({ path, spot, keyword, message }: MemberFault): string {
  return spot !== 'value' || keyword === 'rule' || path.length === 0 ? message : `\`${path.join('.')}\` ${message}`;
}
