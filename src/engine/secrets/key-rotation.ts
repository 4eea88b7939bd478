// Replaces the key that seals, while everything goes on: a new key first, everything sealed anew, the old key last. Whatever
// stops it, the keys open all there is, and the next call goes on where it was (ADR 0017).

import type { SteadyClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { StartError } from '../../lib/start-error.ts';
import type { Store } from '../../store/open.ts';
import { replaceSealed, type SealedKind, type SealedText, sealedKinds, sealedTexts } from '../../store/sealed-texts.ts';
import { sealContext } from '../run/batch.ts';
import type { Keyring } from './keyring.ts';
import type { Sealer } from './seal.ts';
import { contextOfSecret } from './stored-secrets.ts';

type Rotation = {
  /** Everything is sealed by the first key; with keys of flwd's own, the others are gone. */
  readonly done: boolean;
  readonly key_id: string;
  readonly resealed: { readonly secrets: number; readonly runs: number; readonly steps: number };
  /** Of an older key, and not to be opened by it. */
  readonly unopened: number;
  /** What is left to do for whoever keeps the keys, in words. */
  readonly advice: string | null;
};

export type KeyRotation = { readonly rotate: (o: { readonly forMs: number }) => Promise<Rotation> };

const batchSize = 200;
const contextOf: Readonly<Record<SealedKind, (place: SealedText['place']) => string>> = {
  secrets: ([tenant, name]) => contextOfSecret(String(tenant), String(name)),
  run_plans: ([runId]) => String(runId),
  steps: ([runId, stepId, attempt]) => sealContext(String(runId), String(stepId), Number(attempt)),
};

export function createKeyRotation(o: {
  readonly store: Pick<Store, 'db'>;
  readonly keyring: Keyring;
  readonly sealer: Sealer;
  readonly clock: Pick<SteadyClock, 'monotonicMs'>;
  readonly log: Logger;
}): KeyRotation {
  const { store, keyring, sealer, clock, log } = o;
  let last: Promise<unknown> = Promise.resolve();

  async function rotate({ forMs }: { readonly forMs: number }): Promise<Rotation> {
    const untilMs = clock.monotonicMs() + forMs;
    const cannotAdd = keyring.keys.length > 1 ? undefined : tryToChange(keyring.add);
    if (cannotAdd === undefined) log.info({ key_id: sealer.keyId }, 'what is sealed is sealed anew');
    const count = { secrets: 0, run_plans: 0, steps: 0 };
    let unopened = 0;
    let isWhole = true;
    for (const kind of sealedKinds) {
      for (const key of otherKeys(keyring)) {
        let after: SealedText['place'] | undefined;
        do {
          const batch = await resealBatch(kind, key, after);
          count[kind] += batch.resealed;
          unopened += batch.unopened;
          after = batch.last;
          isWhole = after === undefined;
        } while (!isWhole && clock.monotonicMs() < untilMs);
        if (!isWhole) break;
      }
      if (!isWhole) break;
    }
    const isOver = isWhole && (await isNothingLeft(unopened));
    const cannotDrop = isOver && keyring.keys.length > 1 ? tryToChange(keyring.dropOthers) : undefined;
    if (isOver) log.info({ key_id: sealer.keyId, unopened }, 'everything is sealed by the newest key');
    return {
      done: isOver,
      key_id: sealer.keyId,
      resealed: { secrets: count.secrets, runs: count.run_plans, steps: count.steps },
      unopened,
      advice: isOver ? adviceOf(cannotAdd, cannotDrop) : null,
    };
  }

  async function resealBatch(kind: SealedKind, key: string, after: SealedText['place'] | undefined) {
    return store.db.transact(async (tx) => {
      const texts = await sealedTexts(tx.db, kind, { key, after, limit: batchSize });
      let resealed = 0;
      for (const { place, sealed } of texts) {
        const context = contextOf[kind](place);
        const text = tryToOpen(sealed, context);
        if (text === undefined) continue;
        await replaceSealed(tx, kind, { place, sealed: sealer.seal(text, context) });
        resealed += 1;
      }
      const end = texts.length < batchSize ? undefined : texts.at(-1)?.place;
      return { resealed, unopened: texts.length - resealed, last: end };
    });
  }

  function tryToOpen(sealed: string, context: string): string | undefined {
    try {
      return sealer.unseal(sealed, context);
    } catch {
      return undefined;
    }
  }

  /** What a former call could not open is no reason to go on for ever. */
  async function isNothingLeft(unopened: number): Promise<boolean> {
    let left = 0;
    for (const kind of sealedKinds) {
      for (const key of otherKeys(keyring)) {
        const found = await store.db.transact((tx) =>
          sealedTexts(tx.db, kind, { key, after: undefined, limit: unopened + 1 }),
        );
        left += found.length;
      }
    }
    return left <= unopened;
  }

  return {
    rotate(request) {
      const work = last.then(() => rotate(request));
      last = work.catch(() => undefined);
      return work;
    },
  };
}

/** As sealed texts name them; those that name none may be of any. */
function otherKeys({ keys }: Keyring): string[] {
  return [...keys.slice(1).map(({ id }) => `v2.${id}`), 'v1'];
}

/** Why it cannot be. */
function tryToChange(change: () => void): string | undefined {
  try {
    change();
    return undefined;
  } catch (error) {
    if (error instanceof StartError) return error.message;
    throw error;
  }
}

function adviceOf(cannotAdd: string | undefined, cannotDrop: string | undefined): string | null {
  if (cannotAdd !== undefined) {
    return `there is no second key, and ${cannotAdd}: put a new key in front of the old one there, start the server again, and rotate once more`;
  }
  if (cannotDrop === undefined) return null;
  return `nothing is sealed by the keys behind the first any more, but ${cannotDrop}: take them out there, the last one a day from now, as requests with an Idempotency-Key of the day before are known by it`;
}
