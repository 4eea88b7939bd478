// Stored secrets, as the server hands them out.

import { Problem } from '../../src/domain/problem.ts';

/** @throws Problem secret-unavailable */
export async function secretIn(secrets: Readonly<Record<string, string>>, name: string): Promise<string> {
  const value = secrets[name];
  if (value === undefined) throw new Problem('secret-unavailable', `There is no stored secret '${name}'.`);
  return value;
}
