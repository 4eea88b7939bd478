// Takes a data dir and prints one line: `owned`, or why not. Releases it when stdin ends.

import { acquireOwnership, DataDirOwned, type OwnerInfo } from '../../../src/instance/owner-lock.ts';

const onLost = ({ pid }: OwnerInfo) => console.log(`lost to ${pid}`);
const [dataDir = '', url = ''] = process.argv.slice(2);
try {
  const ownership = await acquireOwnership(dataDir, { warn: console.error, onLost });
  ownership.announce(url ? { url } : null);
  console.log('owned');
  process.stdin.resume().on('end', () => void ownership.release());
} catch (error) {
  console.log(error instanceof DataDirOwned ? `refused ${JSON.stringify(error.owner)}` : String(error));
}
