// An attempt on its way to another process.

import type { AttemptSpec } from '../../src/exec/proc/attempt-spec.ts';

export function serialized(spec: AttemptSpec): string {
  return JSON.stringify({ ...spec, secrets: [...spec.secrets] });
}

export function deserialized(text: string): AttemptSpec {
  const spec: Omit<AttemptSpec, 'secrets'> & { secrets: [string, string][] } = JSON.parse(text);
  return { ...spec, secrets: new Map(spec.secrets) };
}
