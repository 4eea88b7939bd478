// Serializes an attempt for another process.

import type { LimitedSpec } from '../../src/exec/proc/attempt-groups.ts';

export function serialized(spec: LimitedSpec): string {
  return JSON.stringify({ ...spec, secrets: [...spec.secrets] });
}

export function deserialized(text: string): LimitedSpec {
  const spec: Omit<LimitedSpec, 'secrets'> & { secrets: [string, string][] } = JSON.parse(text);
  return { ...spec, secrets: new Map(spec.secrets) };
}
