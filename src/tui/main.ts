// Starts the terminal UI. No other command loads its code.

import type { TuiOptions } from './terminal.ts';

/** Resolves when the user quits. However the UI ends, the terminal is restored. @throws what the app threw */
export async function runTui(o: TuiOptions): Promise<void> {
  // React reads this when it is loaded. Its development build measures and checks every render.
  process.env.NODE_ENV ??= 'production';
  const { occupyTerminal } = await import('./terminal.ts');
  await occupyTerminal(o);
}
