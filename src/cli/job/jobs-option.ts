// Warns if `--jobs` has no effect because a server is running, which keeps the jobs that it was started with.

import { findOwner } from '../../instance/owner-lock.ts';
import { instance, jobsDir } from '../command.ts';
import type { Call } from '../command-line.ts';
import { ownName } from '../own-name.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { isOfThisMachine } from '../session/session.ts';

const [remote] = instance;

export async function warnWhereServed({ command, options }: Call): Promise<void> {
  const asksInstance = command.options.some((option) => option === remote);
  if (!asksInstance || !isOfThisMachine(options)) return;
  const owner = await findOwner(loadConfiguration(options).config.instance.dataDir);
  if (!owner?.url || owner.isEphemeral) return;
  process.stderr.write(
    `flwd: --${jobsDir.name} has no effect: the server at ${owner.url} has its own sources (see ${ownName} sources); --data-dir selects another instance\n`,
  );
}
