// `flwd import systemd-timers`, `cronicle`, `rundeck` and `dagu`: the jobs of another scheduler become jobs of flwd.

import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { Refusal } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { commandsOf, type Found, type FoundJob } from './found-job.ts';
import { importJobs } from './import-jobs.ts';
import { withoutSecrets } from './secret-text.ts';

export async function run(options: Options, operands: readonly string[], call: Call): Promise<void> {
  return importJobs((await find(call.command.name, operands)).map(cleaned), options);
}

/** @throws Refusal */
async function find(name: string, operands: readonly string[]): Promise<Found[]> {
  if (name === 'import cronicle') {
    const { findCronicleEvents } = await import('./formats/cronicle.ts');
    return findCronicleEvents(oneOperand(operands, `${ownName} import cronicle FILE`));
  }
  if (name === 'import rundeck') {
    const { findRundeckJobs } = await import('./formats/rundeck.ts');
    return findRundeckJobs(oneOperand(operands, `${ownName} import rundeck FILE`));
  }
  if (name === 'import dagu') {
    const { findDaguWorkflows } = await import('./formats/dagu.ts');
    return findDaguWorkflows(oneOperand(operands, `${ownName} import dagu DIR`));
  }
  const [folder, extra] = operands;
  if (extra !== undefined) throw new Refusal(`unexpected word \`${extra}\`: ${ownName} import systemd-timers [DIR]`);
  const { findTimers } = await import('./formats/systemd-timers.ts');
  return findTimers(folder);
}

/**
 * Removes passwords from notes, because notes quote the other scheduler's files. Also removes the schedules of a job
 * with a required argument, because a schedule gives the argument no value.
 */
function cleaned(found: Found): Found {
  if (found.kind === 'nothing') return { ...found, obstacles: found.obstacles.map(withoutSecrets) };
  const missing = found.arguments.filter(
    ({ isRequired, secretVariable }) => isRequired && secretVariable === undefined,
  );
  const isComplete = missing.length === 0 || found.schedules.length === 0;
  const times = found.schedules.map(({ cron, timezone }) => `\`${cron}\` ${timezone}`).join(', ');
  const names = missing.map(({ name }) => name).join(', ');
  const note = `its schedule (${times}) was left out: it has no value for ${names}, which is required`;
  return {
    ...found,
    schedules: isComplete ? found.schedules : [],
    notes: [...found.notes, ...(isComplete ? [] : [note]), ...homeNote(found)].map(withoutSecrets),
  };
}

function homeNote(found: FoundJob): string[] {
  const texts = commandsOf(found).flatMap(({ text, setup = [] }) => [text, ...setup]);
  const usesHome = texts.some((text) => /\$(?:HOME\b|\{HOME\})|(?:^|[\s"'=:])~\//m.test(text));
  return usesHome
    ? ['it uses the home of its user: a job has an empty folder as its home, so write the full path']
    : [];
}
