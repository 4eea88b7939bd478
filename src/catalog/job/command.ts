// Reads a job's command: the list of words, the job's own files that it names, and the language of its script.

import type { UlcProfile } from '../../domain/command-action.ts';
import { firstLineOf } from '../../lib/files/first-line.ts';
import { findJobFile, type JobPlace } from '../source/job-files.ts';
import { nameOf } from '../source/source-path.ts';
import { type MemberError, ruleError } from './config-error.ts';

const endings: Readonly<Record<string, UlcProfile>> = {
  sh: 'ulc.shell.bash',
  bash: 'ulc.shell.bash',
  ps1: 'ulc.shell.pwsh',
  py: 'ulc.python.3',
  js: 'ulc.node',
  mjs: 'ulc.node',
  cjs: 'ulc.node',
};
const interpreters: readonly (readonly [RegExp, UlcProfile])[] = [
  [/^bash$/, 'ulc.shell.bash'],
  [/^pwsh$/, 'ulc.shell.pwsh'],
  [/^python(?:3(?:\.\d+)?)?$/, 'ulc.python.3'],
  [/^node$/, 'ulc.node'],
];

/** Operators, variables, globs, quotes and line breaks, which only a shell understands. */
const needsShell = /[&|;<>$`*?[\]{}()"'\\\n]|^\w+=/;

export type Command = {
  readonly command: readonly string[];
  readonly ulcProfile: UlcProfile;
  readonly errors: readonly MemberError[];
};

/** Paths in errors start at `command`. Without `profile`, the file's ending or its `#!` line decides the language. */
export function readCommand(
  raw: string | readonly string[],
  profile: UlcProfile | undefined,
  place: JobPlace,
): Command {
  const command = typeof raw === 'string' ? [raw] : raw;
  const [program = ''] = command;
  const pathOf = (at: number) => (typeof raw === 'string' ? [] : [String(at)]);
  const fails = (at: number, message: string): Command => ({
    command,
    ulcProfile: profile ?? 'ulc.exec',
    errors: [ruleError(pathOf(at), message)],
  });

  if (typeof raw === 'string' && /\s/.test(raw)) {
    const text = raw.trim();
    const advice = needsShell.test(text)
      ? `write [bash, -c, ${JSON.stringify(text)}], or put the line into a script`
      : `write a list, [${text.split(/\s+/).join(', ')}]`;
    return fails(0, `a string must be a single path, because flwd does not split it: ${advice}`);
  }
  if (program === '') return fails(0, 'the program is missing: the first word must not be empty');
  if (program.startsWith('~'))
    return fails(
      0,
      `\`${program}\`: no shell expands \`~\` here, and a job's home is its workspace: write the full path`,
    );
  if (program.includes('/') && !/^\.?\//.test(program)) {
    return fails(0, `\`${program}\` is neither a program in PATH nor a file of the job: write ./${program}`);
  }
  if (!program.includes('/') && 'stat' in findJobFile(place, program)) {
    return fails(0, `\`${program}\` would be searched for in PATH: write ./${program} to use the job's own file`);
  }
  const own = command.map((word) => (word.startsWith('./') ? findJobFile(place, word) : undefined));
  for (const [at, found] of own.entries()) {
    if (found && 'problem' in found) return fails(at, `\`${command[at]}\` ${found.problem}`);
  }
  const [file] = own;
  if (!file || 'problem' in file) {
    if (profile === undefined || profile === 'ulc.exec') return { command, ulcProfile: 'ulc.exec', errors: [] };
    return fails(0, `${profile} runs a file of the job, so the command must begin with ./`);
  }
  if (!file.stat.isFile()) return fails(0, `\`${program}\` is not a regular file`);
  const ulcProfile = profile ?? profileOf(program, file.hostPath);
  if (ulcProfile === 'ulc.exec' && (file.stat.mode & 0o111) === 0) {
    if (firstLineOf(file.hostPath).startsWith('#!'))
      return fails(0, `\`${program}\` has a \`#!\` line, but is not executable: run chmod +x`);
    return fails(
      0,
      `\`${program}\` is not executable, and neither its ending nor a \`#!\` line names a language: run chmod +x, or add an ending or a \`#!\` line`,
    );
  }
  return { command, ulcProfile, errors: [] };
}

/** A job's `ulc_profile` applies to those of its steps that start a file of the job. */
export function profileOfStep(
  raw: string | readonly string[],
  profile: UlcProfile | undefined,
): UlcProfile | undefined {
  const [program] = typeof raw === 'string' ? [raw] : raw;
  return program?.startsWith('./') ? profile : undefined;
}

function profileOf(program: string, hostPath: string): UlcProfile {
  const name = nameOf(program);
  const byEnding = name.includes('.') ? endings[name.slice(name.lastIndexOf('.') + 1)] : undefined;
  return byEnding ?? profileOfInterpreter(firstLineOf(hostPath)) ?? 'ulc.exec';
}

/** `#!/usr/bin/env -S python3 -u` → python. */
function profileOfInterpreter(line: string): UlcProfile | undefined {
  if (!line.startsWith('#!')) return undefined;
  const words = line.slice(2).trim().split(/\s+/);
  const isEnv = /(?:^|\/)env$/.test(words[0] ?? '');
  const program = isEnv ? words.slice(1).find((word) => !word.startsWith('-') && !word.includes('=')) : words[0];
  const name = nameOf(program ?? '');
  return interpreters.find(([pattern]) => pattern.test(name))?.[1];
}
