// Counts the secrets that the keys of an instance cannot open. flwd does this after a restore and at each start, so the
// operator learns of it before a run needs a secret.

import type { Store } from '../../store/open.ts';
import { type SealedText, sealedOfUnfinished, sealedTexts } from '../../store/sealed-texts.ts';
import type { Sealer } from './seal.ts';
import { contextOfSecret } from './stored-secrets.ts';

export type Unopened = { readonly runs: number; readonly secrets: number };

const pageSize = 500;

/** Counts stored secrets and runs that have not ended. `sealer` is undefined when there is no key at all. */
export async function countUnopened(
  { db }: Pick<Store, 'db'>,
  sealer: Pick<Sealer, 'unseal'> | undefined,
): Promise<Unopened> {
  const isShut = (sealed: string, context: string): boolean => {
    try {
      sealer?.unseal(sealed, context);
      return sealer === undefined;
    } catch {
      return true;
    }
  };
  let secrets = 0;
  let after: SealedText['place'] | undefined;
  do {
    const page = await sealedTexts(db.read, 'secrets', { after, limit: pageSize });
    secrets += page.filter(({ place: [tenant, name], sealed }) =>
      isShut(sealed, contextOfSecret(String(tenant), String(name))),
    ).length;
    after = page.length < pageSize ? undefined : page.at(-1)?.place;
  } while (after);
  const runs = await sealedOfUnfinished(db.read);
  return { runs: runs.filter(({ runId, sealed }) => isShut(sealed, runId)).length, secrets };
}
