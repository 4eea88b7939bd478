// Opens a second engine on the server's database while the server drives runs. It must not take any of them.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Ledger } from './ledger.ts';

const program = new URL('./programs/second-engine.ts', import.meta.url).pathname;

export async function openSecondEngine(root: string, ledger: Ledger): Promise<void> {
  const words = [program, join(root, 'data/flwd.db'), join(root, 'second')];
  const { stdout } = await promisify(execFile)(process.execPath, words, { timeout: 60_000 });
  const { taken }: { taken: string[] } = JSON.parse(stdout);
  ledger.secondEngines.push({ taken });
}
