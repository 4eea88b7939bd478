// The way into the terminal UI. Nothing of it is loaded by any other command.

import type { TuiOptions } from './terminal.ts';

/** Resolves when the user has ended it. The terminal is as it was before, however it ends. @throws what the app threw */
export async function runTui(o: TuiOptions): Promise<void> {
  // Read by React when it is loaded: its other build measures and checks every render.
  process.env.NODE_ENV ??= 'production';
  const { occupyTerminal } = await import('./terminal.ts');
  await occupyTerminal(o);
}
