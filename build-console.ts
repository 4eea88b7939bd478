// Builds the console if it is missing or older than its sources: for `npm start` in a checkout, and for its tests.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = import.meta.dirname;
/** The folders whose files are in the console's pages. */
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
  else console.warn('The console is not built, because vite is not installed: run npm ci.');
}

function filesOf(dir: string): string[] {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** 0 if the file does not exist. */
function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

if (import.meta.main) await buildConsole();
