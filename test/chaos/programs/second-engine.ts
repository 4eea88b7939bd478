// Opens a second engine on the server's database, with its own data dir, until it has resumed all runs that it may
// resume. Prints the runs it took to stdout. Usage: second-engine.ts DATABASE DATA_DIR

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createCatalog } from '../../../src/catalog/catalog.ts';
import { createSnapshots } from '../../../src/catalog/source/snapshot.ts';
import { createEngine } from '../../../src/engine/engine.ts';
import { createHub } from '../../../src/engine/hub.ts';
import { probeHost } from '../../../src/exec/host/host.ts';
import { openForkServer } from '../../../src/exec/proc/fork-server.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { openStore } from '../../../src/store/open.ts';
import { engineOptions } from '../../support/engine-options.ts';

const [, , dbPath = '', dataDir = ''] = process.argv;
mkdirSync(join(dataDir, 'runs'), { recursive: true, mode: 0o700 });
const log = createLogger({ level: 'silent', format: 'text' });
const clock = systemClock;
const store = await openStore({ dbPath, blobsDir: dataDir, clock, log, onCommit: () => undefined });
const hasResumed = Promise.withResolvers<void>();
const { cancelling } = store.runs;
Object.assign(store.runs, {
  // This is the last query of an engine that resumes runs.
  cancelling(status: 'pending' | 'running') {
    if (status === 'pending') hasResumed.resolve();
    return cancelling(status);
  },
});
const snapshots = createSnapshots({ dir: join(dataDir, 'snapshots'), exclude: [] });
const forkServer = openForkServer(join(dataDir, 'pipes'));
const options = engineOptions(dataDir, { snapshots, forkServer, capabilities: await probeHost() });
const engine = createEngine({
  ...options,
  store,
  catalog: createCatalog({ sources: [], aliases: [], exclude: [], log }),
  hub: createHub(await store.journal.latestId()),
  clock,
  log,
});
// Waiting runs have no owner, so this engine must not start them.
engine.start(new Set());
await hasResumed.promise;
const taken = await store.db.read.selectFrom('runs').select('id').where('owner', '=', options.ownerId).execute();
process.stdout.write(JSON.stringify({ taken: taken.map(({ id }) => id) }));
await engine.close();
await forkServer.close();
await store.close();
