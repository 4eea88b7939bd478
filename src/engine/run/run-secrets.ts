// The secrets of a run: those that its scripts get, and those that are only kept out of what it says. Sealed, they go
// with the run, so that a retry or a restart does not depend on what is stored under their names by then.

import { Problem } from '../../domain/problem.ts';
import type { StoredRun } from '../../store/run/runs.ts';
import type { Sealer } from '../secrets/seal.ts';

export type RunSecrets = {
  /** By the name of the argument, or of the stored secret that the environment asks for. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Of the run that it came from: texts made of them may reach this one. */
  readonly alsoRedacted: readonly string[];
};

type Values = Record<string, string>;

export function sealSecrets({ secrets, alsoRedacted }: RunSecrets, runId: string, sealer: Sealer): string | null {
  if (secrets.size === 0 && alsoRedacted.length === 0) return null;
  const values = Object.fromEntries(secrets);
  return sealer.seal(JSON.stringify(alsoRedacted.length === 0 ? values : [values, alsoRedacted]), runId);
}

/** @throws Error where they cannot be opened */
export function unsealSecrets({ run, sealed }: Pick<StoredRun, 'run' | 'sealed'>, sealer: Sealer): RunSecrets {
  if (sealed === null) return { secrets: new Map(), alsoRedacted: [] };
  const held: Values | [Values, string[]] = JSON.parse(sealer.unseal(sealed, run.run_id));
  const [values, alsoRedacted] = Array.isArray(held) ? held : [held, []];
  return { secrets: new Map(Object.entries(values)), alsoRedacted };
}

/** Every text that must not be shown. */
export function redactedTexts({ secrets, alsoRedacted }: RunSecrets): string[] {
  return [...new Set([...secrets.values(), ...alsoRedacted])];
}

/** For whoever asks for a run anew. @throws Problem secret-unavailable */
export function reopenSecrets(stored: StoredRun, sealer: Sealer): RunSecrets {
  try {
    return unsealSecrets(stored, sealer);
  } catch {
    throw new Problem(
      'secret-unavailable',
      `The secret arguments of '${stored.run.run_id}' cannot be opened: their key is not among the server's keys.`,
    );
  }
}
