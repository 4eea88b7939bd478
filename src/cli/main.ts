// The command line's edge: runs the command that the words name and turns whatever happens into an exit code.

import { readCommandLine } from './command-line.ts';
import type { CommandName, Options } from './commands.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';

type Verb = { run(options: Options, operands: readonly string[]): ExitCode | Promise<ExitCode> };

/** A command's code is loaded when it is called and not before. */
const verbs: Record<CommandName, () => Promise<Verb>> = {
  serve: () => import('./serve.ts'),
  'config validate': () => import('./config-validate.ts'),
  'config show': () => import('./config-show.ts'),
  doctor: () => import('./doctor.ts'),
  gc: () => import('./gc.ts'),
  'secrets set': () => import('./secrets-set.ts'),
  'secrets list': () => import('./secrets-list.ts'),
  'secrets rm': () => import('./secrets-rm.ts'),
  'secrets rotate': () => import('./secrets-rotate.ts'),
  'tokens create': () => import('./tokens-create.ts'),
  'tokens list': () => import('./tokens-list.ts'),
  'tokens revoke': () => import('./tokens-revoke.ts'),
  audit: () => import('./audit.ts'),
  'audit verify': () => import('./audit-verify.ts'),
  backup: () => import('./backup.ts'),
  restore: () => import('./restore.ts'),
  version: () => import('./version.ts'),
  help: () => import('./help.ts'),
};

export async function main(words: readonly string[]): Promise<ExitCode> {
  // `flwd help | head -1` closes the pipe; a server whose reader has gone goes on all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  process.on('uncaughtException', (error) => process.exit(report(error)));
  try {
    const { command, options, operands } = readCommandLine(words);
    const verb = await verbs[command.name]();
    return await verb.run(options, operands);
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): ExitCode {
  if (error instanceof Refusal) {
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  const trace = error instanceof Error ? error.stack : String(error);
  process.stderr.write(`flwd: this is a bug in flwd; please report it with what follows\n${trace}\n`);
  return exitCodes.bug;
}
