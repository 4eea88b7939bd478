// `flwd tui`: shows jobs, runs and their logs in the terminal.

import type { Options } from './command.ts';
import { Refusal } from './exit-code.ts';
import { ownName } from './own-name.ts';
import { withSession } from './session/session.ts';

export async function run(options: Options): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new Refusal(`${ownName} tui needs a terminal; in scripts, use ${ownName} jobs, runs and logs`);
  if (process.env.TERM === 'dumb')
    throw new Refusal(`${ownName} tui cannot draw on this terminal (TERM=dumb); use ${ownName} jobs, runs and logs`);
  const { runTui } = await import('../tui/main.ts');
  await withSession(options, ({ client, where, ensureStarted }) => runTui({ client, where, ensureStarted }), {
    mayCreate: true,
  });
}
