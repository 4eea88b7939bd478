// Builds the console where it is missing, or older than what it is made of: for `npm start` in a checkout, and for its tests.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = import.meta.dirname;
/** What a page is made of. */
const folders = ['console', 'client', 'contract', 'domain', 'lib'];

export async function buildConsole(): Promise<void> {
  const sources = folders.flatMap((folder) => filesOf(join(root, 'src', folder)));
  const newest = Math.max(
    ...[...sources, join(root, 'package-lock.json'), join(root, 'vite.config.ts')].map(changedAt),
  );
  if (changedAt(join(root, 'dist/console/index.html')) >= newest) return;
  const vite = await import('vite').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return null;
    throw error;
  });
  if (vite) await vite.build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn' });
  else console.warn('The console is not built: vite is not installed. npm ci brings it.');
}

function filesOf(dir: string): string[] {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** 0: there is no such file. */
function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

if (import.meta.main) await buildConsole();
