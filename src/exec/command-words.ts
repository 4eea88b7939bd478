// What is started inside the sandbox: the job's command, by its language.

import type { CommandAction, UlcProfile } from '../domain/job.ts';
import { nodePath } from './sandbox.ts';

const interpreters: Readonly<Record<UlcProfile, readonly string[]>> = {
  'ulc.shell.bash': ['bash'],
  'ulc.shell.pwsh': ['pwsh'],
  // Unbuffered, so that a line is in the log when it is printed.
  'ulc.python.3': ['python3', '-u'],
  'ulc.node': [nodePath],
  'ulc.exec': [],
};

/** A word that begins with `./` is a file of the job's directory. */
export function commandWords({ command, ulcProfile }: Pick<CommandAction, 'command' | 'ulcProfile'>): string[] {
  const words = command.map((word) => (word.startsWith('./') ? `/job/${word.slice(2)}` : word));
  return [...interpreters[ulcProfile], ...words];
}
