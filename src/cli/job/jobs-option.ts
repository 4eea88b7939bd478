// `--jobs` of a command that asks an instance: a server has the jobs that it was started with, whoever asks it.

import { findOwner } from '../../instance/owner-lock.ts';
import { instance, jobsDir } from '../command.ts';
import type { Call } from '../command-line.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { isOfThisMachine } from '../session/session.ts';

const [remote] = instance;

export async function warnWhereServed({ command, options }: Call): Promise<void> {
  const asksInstance = command.options.some((option) => option === remote);
  if (!asksInstance || !isOfThisMachine(options)) return;
  const owner = await findOwner(loadConfiguration(options).config.instance.dataDir);
  if (!owner?.url || owner.isEphemeral) return;
  process.stderr.write(
    `flwd: --${jobsDir.name} has no effect: the server at ${owner.url} is asked, which has sources of its own (flwd sources); --data-dir names another instance\n`,
  );
}
