// `flwd completion SHELL`: prints the script with which a shell asks flwd (`flwd __complete`) for completions.

import { readFileSync } from 'node:fs';
import type { Options } from './command.ts';
import { Refusal } from './exit-code.ts';
import { oneOperand } from './option-values.ts';
import { ownName } from './own-name.ts';

const scripts: ReadonlyMap<string, string> = new Map([
  ['bash', 'flwd.bash'],
  ['zsh', 'flwd.zsh'],
  ['fish', 'flwd.fish'],
  ['powershell', 'flwd.ps1'],
]);

export async function run(_options: Options, operands: readonly string[]): Promise<void> {
  const shell = oneOperand(operands, `${ownName} completion bash, zsh, fish or powershell`);
  const script = scripts.get(shell);
  if (script === undefined)
    throw new Refusal(`no completion for \`${shell}\`: flwd completes in bash, zsh, fish and powershell`);
  // This path leads to the package's folder, both from src and from dist.
  process.stdout.write(readFileSync(new URL(`../../packaging/completion/${script}`, import.meta.url)));
}
