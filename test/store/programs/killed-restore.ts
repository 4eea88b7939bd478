// Restores a backup, and is killed before the nth call that changes a file: `node killed-restore.ts ROOT N`.

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { requestIn } from '../backup/a-restore.ts';

const [root = '', nth] = process.argv.slice(2);
const files: Record<string, (...args: unknown[]) => unknown> = createRequire(import.meta.url)('node:fs/promises');
let calls = 0;
for (const name of ['chmod', 'mkdir', 'open', 'rename', 'rm', 'writeFile']) {
  const call = files[name];
  if (!call) throw new Error(`there is no ${name}`);
  files[name] = (...args) => {
    const isReading = name === 'open' && (args[1] === 'r' || typeof args[1] === 'number');
    if (!isReading && ++calls === Number(nth)) process.kill(process.pid, 'SIGKILL');
    return call(...args);
  };
}
syncBuiltinESMExports();

const { restoreBackup } = await import('../../../src/store/backup/restore.ts');
const { completed } = await restoreBackup(requestIn(root));
process.stdout.write(completed);
