// What is started for a step: the job's command, by its language.

import type { CommandAction, UlcProfile } from '../../domain/job.ts';
import type { ScriptPlaces } from '../script-places.ts';

const interpreters: Readonly<Record<Exclude<UlcProfile, 'ulc.node'>, readonly string[]>> = {
  'ulc.shell.bash': ['bash'],
  'ulc.shell.pwsh': ['pwsh'],
  // Unbuffered, so that a line is in the log when it is printed.
  'ulc.python.3': ['python3', '-u'],
  'ulc.exec': [],
};

/** A word that begins with `./` is a file of the job's directory. */
export function commandWords(
  { command, ulcProfile }: Pick<CommandAction, 'command' | 'ulcProfile'>,
  places: Pick<ScriptPlaces, 'job' | 'node'>,
): string[] {
  const words = command.map((word) => (word.startsWith('./') ? `${places.job}/${word.slice(2)}` : word));
  return [...(ulcProfile === 'ulc.node' ? [places.node] : interpreters[ulcProfile]), ...words];
}
