// The commands of flwd, in one table: --help and docs/cli.md print it, the command line is read by it.

import { instanceCommands } from './admin/instance-commands.ts';
import type { Command } from './command.ts';
import { jobCommands } from './job/job-commands.ts';
import { runCommands } from './run/run-commands.ts';

const sections = { Jobs: jobCommands, Runs: runCommands, Instance: instanceCommands };

export const commandSections: readonly (readonly [string, readonly Command[]])[] = Object.entries(sections);
export const commands = commandSections.flatMap(([, section]) => section);

export type CommandName = (typeof sections)[keyof typeof sections][number]['name'];
