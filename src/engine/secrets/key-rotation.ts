// Replaces the key that seals secrets while the server works: it adds a new key, seals everything again, and then drops
// the old key. It may be interrupted at any point: the keys still open everything, and the next call continues (ADR
// 0017).

import type { SteadyClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { createSerial } from '../../lib/serial.ts';
import { StartError } from '../../lib/start-error.ts';
import type { Store } from '../../store/open.ts';
import { replaceSealed, type SealedKind, type SealedText, sealedKinds, sealedTexts } from '../../store/sealed-texts.ts';
import { sealContext } from '../run/batch.ts';
import type { Keyring } from './keyring.ts';
import type { Sealer } from './seal.ts';
import { contextOfSecret } from './stored-secrets.ts';

type Rotation = {
  /** True once everything is sealed by the first key and, if flwd manages the keys, the other keys are gone. */
  readonly done: boolean;
  readonly key_id: string;
  readonly resealed: { readonly secrets: number; readonly runs: number; readonly steps: number };
  /** The number of texts that were sealed by an older key and that no key can open. */
  readonly unopened: number;
  /** What the person who manages the keys still has to do. */
  readonly advice: string | null;
};

export type KeyRotation = { readonly rotate: (o: { readonly forMs: number }) => Promise<Rotation> };

type Parts = {
  readonly store: Pick<Store, 'db'>;
  readonly keyring: Keyring;
  readonly sealer: Sealer;
  readonly clock: Pick<SteadyClock, 'monotonicMs'>;
  readonly log: Logger;
};

const batchSize = 200;
const contextOf: Readonly<Record<SealedKind, (place: SealedText['place']) => string>> = {
  secrets: ([tenant, name]) => contextOfSecret(String(tenant), String(name)),
  run_plans: ([runId]) => String(runId),
  steps: ([runId, stepId, attempt]) => sealContext(String(runId), String(stepId), Number(attempt)),
};

export function createKeyRotation(o: Parts): KeyRotation {
  const { run } = createSerial();
  return { rotate: ({ forMs }) => run(() => rotate(o, o.clock.monotonicMs() + forMs)) };
}

async function rotate(o: Parts, untilMs: number): Promise<Rotation> {
  const { keyring, sealer, log } = o;
  const cannotAdd = keyring.keys.length > 1 ? undefined : tryToChange(keyring.add);
  if (cannotAdd === undefined) log.info({ key_id: sealer.keyId }, 'encrypting everything again with the newest key');
  const { isWhole, unopened, resealed } = await resealAll(o, untilMs);
  const isOver = isWhole && (await isNothingLeft(o, unopened));
  const cannotDrop = isOver && keyring.keys.length > 1 ? tryToChange(keyring.dropOthers) : undefined;
  if (isOver) log.info({ key_id: sealer.keyId, unopened }, 'everything is encrypted with the newest key');
  const { secrets, run_plans: runs, steps } = resealed;
  return {
    done: isOver,
    key_id: sealer.keyId,
    resealed: { secrets, runs, steps },
    unopened,
    advice: isOver ? adviceOf(cannotAdd, cannotDrop) : null,
  };
}

/** `isWhole` is false when the time was up before everything had been looked at. */
async function resealAll(o: Parts, untilMs: number) {
  const resealed = { secrets: 0, run_plans: 0, steps: 0 };
  let unopened = 0;
  for (const kind of sealedKinds) {
    for (const key of otherKeys(o.keyring)) {
      let after: SealedText['place'] | undefined;
      do {
        const batch = await resealBatch(o, kind, key, after);
        resealed[kind] += batch.resealed;
        unopened += batch.unopened;
        after = batch.last;
      } while (after && o.clock.monotonicMs() < untilMs);
      if (after) return { isWhole: false, unopened, resealed };
    }
  }
  return { isWhole: true, unopened, resealed };
}

async function resealBatch(
  { store, sealer }: Parts,
  kind: SealedKind,
  key: string,
  after: SealedText['place'] | undefined,
) {
  return store.db.transact(async (tx) => {
    const texts = await sealedTexts(tx.db, kind, { key, after, limit: batchSize });
    let resealed = 0;
    for (const { place, sealed } of texts) {
      const context = contextOf[kind](place);
      const text = tryToOpen(sealer, sealed, context);
      if (text === undefined) continue;
      await replaceSealed(tx, kind, { place, sealed: sealer.seal(text, context) });
      resealed += 1;
    }
    const last = texts.length < batchSize ? undefined : texts.at(-1)?.place;
    return { resealed, unopened: texts.length - resealed, last };
  });
}

function tryToOpen(sealer: Sealer, sealed: string, context: string): string | undefined {
  try {
    return sealer.unseal(sealed, context);
  } catch {
    return undefined;
  }
}

/**
 * Whether nothing is left for the older keys, apart from the `unopened` texts. Those texts do not keep the rotation
 * from ending.
 */
async function isNothingLeft({ store, keyring }: Parts, unopened: number): Promise<boolean> {
  let left = 0;
  for (const kind of sealedKinds) {
    for (const key of otherKeys(keyring)) {
      const limit = unopened + 1;
      left += (await store.db.transact((tx) => sealedTexts(tx.db, kind, { key, after: undefined, limit }))).length;
    }
  }
  return left <= unopened;
}

/** Returns the beginnings of texts that were sealed with older keys: `v2.ID`, or `v1`, which names no key. */
function otherKeys({ keys }: Keyring): string[] {
  return [...keys.slice(1).map(({ id }) => `v2.${id}`), 'v1'];
}

/** Returns why the change is not possible; undefined when it was made. */
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
    return (
      `there is no second key, and ${cannotAdd}: put a new key in front of the old one there, restart the server, ` +
      'and rotate again'
    );
  }
  if (cannotDrop === undefined) return null;
  return (
    `only the first key is still in use, but ${cannotDrop}: remove the other keys there, one day after you put the first ` +
    'key in front, because until then they recognise earlier requests with an Idempotency-Key'
  );
}
