// Takes over the terminal for the app, and restores it at the end: when the user quits, when an error is thrown
// anywhere in the process, and on signals.

import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { render } from 'ink';
import { createElement as h } from 'react';
import type { Client } from '../client/client.ts';
import { App } from './app.ts';

export type TuiOptions = {
  readonly client: Client;
  /** The address of the server, for the header. */
  readonly where: string;
  /** Called with each run as soon as this UI has started it. */
  readonly ensureStarted: (runId: string) => void;
};

const endingSignals = ['SIGTERM', 'SIGHUP', 'SIGINT'] as const;
/** Leaves the alternate screen, turns bracketed paste off, shows the cursor. */
const restoring = '\u{1b}[?1049l\u{1b}[?2004l\u{1b}[?25h';

export async function runInTerminal(o: TuiOptions): Promise<void> {
  const app = render(h(App, o), { alternateScreen: true, interactive: true, incrementalRendering: true });
  let isRunning = true;

  function giveBack(): void {
    if (!isRunning) return;
    isRunning = false;
    try {
      app.unmount();
    } catch {
      writeSync(process.stdout.fd, restoring);
      process.stdin.setRawMode(false);
    }
  }
  function onSignal(signal: NodeJS.Signals): void {
    giveBack();
    process.exit(128 + constants.signals[signal]);
  }
  /** The terminal was closed. SIGHUP may not arrive, because the parent process may have blocked it. */
  function onGone(): void {
    onSignal('SIGHUP');
  }
  function stopListening(): void {
    for (const event of ['end', 'close', 'error']) process.stdin.off(event, onGone);
    process.stdout.off('error', onGone);
    for (const signal of endingSignals) process.off(signal, onSignal);
    process.off('exit', giveBack);
    process.off('uncaughtException', onUncaught);
  }
  const failure = Promise.withResolvers<never>();
  function onUncaught(error: Error): void {
    giveBack();
    failure.reject(error);
  }

  for (const signal of endingSignals) process.on(signal, onSignal);
  for (const event of ['end', 'close', 'error']) process.stdin.on(event, onGone);
  process.stdout.on('error', onGone);
  process.on('exit', giveBack);
  // This listener comes before all others, so that their output appears on the restored screen.
  process.prependListener('uncaughtException', onUncaught);
  try {
    await Promise.race([app.waitUntilExit(), failure.promise]);
  } finally {
    giveBack();
    stopListening();
  }
}
