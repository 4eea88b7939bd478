// A store in a folder, and a hub that receives what is written to its journal.

import { join } from 'node:path';
import { createHub, type Hub } from '../../src/engine/hub.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { Logger } from '../../src/lib/logger.ts';
import { openStore, type Store } from '../../src/store/open.ts';

export async function openWithHub(
  dir: string,
  o: { readonly clock: Clock; readonly log: Logger },
): Promise<{ readonly store: Store; readonly hub: Hub }> {
  let hub: Hub | undefined;
  const store = await openStore({
    ...o,
    dbPath: join(dir, 'flwd.db'),
    blobsDir: dir,
    onCommit: (entries) => hub?.publish(entries),
  });
  hub = createHub(await store.journal.latestId());
  return { store, hub };
}
