// The table of all commands. flwd reads the command line with it, and prints --help and docs/cli.md from it.

import { instanceCommands } from './admin/instance-commands.ts';
import type { Command } from './command.ts';
import { importCommands } from './import/import-commands.ts';
import { jobCommands } from './job/job-commands.ts';
import { kvCommands } from './kv/kv-commands.ts';
import { runCommands } from './run/run-commands.ts';

const sections = {
  Jobs: jobCommands,
  'From other schedulers': importCommands,
  Runs: runCommands,
  'Key-value store': kvCommands,
  Instance: instanceCommands,
};

export const commandSections: readonly (readonly [string, readonly Command[]])[] = Object.entries(sections);
export const commands = commandSections.flatMap(([, section]) => section);

export type CommandName = (typeof sections)[keyof typeof sections][number]['name'];
