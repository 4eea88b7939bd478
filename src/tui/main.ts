// Starts the terminal UI. Only `flwd tui` loads this code.

import type { TuiOptions } from './terminal.ts';

/**
 * Shows the UI until the user quits. Restores the terminal even if the app fails.
 * @throws the error that the app threw
 */
export async function runTui(o: TuiOptions): Promise<void> {
  // React reads NODE_ENV when it is loaded. Its development build measures and checks every render.
  process.env.NODE_ENV ??= 'production';
  const { runInTerminal } = await import('./terminal.ts');
  await runInTerminal(o);
}
