// The secrets of a run: those that its scripts get, and those that are only redacted from its output. They are sealed
// and stored with the run, so a retry or a restart uses the same secrets, even if somebody has replaced them since.

import { Problem } from '../../domain/problem.ts';
import type { StoredRun } from '../../store/run/runs.ts';
import type { Sealer } from '../secrets/seal.ts';

export type RunSecrets = {
  /** The values. Each key is the name of an argument or, for the environment, the name of a stored secret. */
  readonly secrets: ReadonlyMap<string, string>;
  /** The secrets of the parent or the earlier run: texts made from them may reach this run. */
  readonly alsoRedacted: readonly string[];
};

type Values = Record<string, string>;

export function sealSecrets({ secrets, alsoRedacted }: RunSecrets, runId: string, sealer: Sealer): string | null {
  if (secrets.size === 0 && alsoRedacted.length === 0) return null;
  const values = Object.fromEntries(secrets);
  return sealer.seal(JSON.stringify(alsoRedacted.length === 0 ? values : [values, alsoRedacted]), runId);
}

/** @throws Error when they cannot be opened */
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

/** The secrets of an earlier run, for a rerun. @throws Problem secret-unavailable */
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
