// Runs the terminal UI without the command line. The URL and the token come from the environment.

import { appendFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { createClient } from '../../../src/client/client.ts';
import { runTui } from '../../../src/tui/main.ts';

// Most tests end this process together with its terminal, which leaves it no time to write its compile cache.
await import('../../../src/tui/terminal.ts');
flushCompileCache();
const { TUI_URL = '', TUI_TOKEN, TUI_STARTED } = process.env;
const client = createClient({ baseUrl: TUI_URL, ...(TUI_TOKEN && { token: TUI_TOKEN }), client: 'cli' });
// Uncaught errors are handled as in the command line.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.name}: ${error.message}\n`);
  process.exit(70);
});
process.on('SIGUSR2', () => {
  throw new Error('broken on purpose');
});
await runTui({
  client,
  where: TUI_URL,
  ensureStarted: (runId) => TUI_STARTED && appendFileSync(TUI_STARTED, `${runId}\n`),
});
process.stdout.write('the user has quit\n');
