// A restore of the backup in ROOT/backup into the data dir ROOT/data.

import { join } from 'node:path';

export function placesIn(dataDir: string) {
  return {
    dataDir,
    dbPath: join(dataDir, 'flwd.db'),
    logsDir: join(dataDir, 'logs'),
    artifactsDir: join(dataDir, 'artifacts'),
    snapshotsDir: join(dataDir, 'snapshots'),
    runsDir: join(dataDir, 'runs'),
    secretKeyFile: join(dataDir, 'secret.key'),
    signingKeyFile: join(dataDir, 'notify.key'),
  };
}

export function requestIn(root: string) {
  return {
    places: placesIn(join(root, 'data')),
    source: join(root, 'backup'),
    force: true,
    unfinishedFile: join(root, 'data/unfinished'),
    isRevision: async () => false,
    onProgress: () => undefined,
    complete: async () => 'completed',
  };
}
