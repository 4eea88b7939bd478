// `flwd init`: a new job that runs at once, or one made of a script that there is.

import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Options } from './command.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { describeJob, type NewFile, writeJob } from './job-folder.ts';
import { oneOperand, readChoice } from './option-values.ts';
import { createOutput } from './output.ts';

const languages = ['bash', 'python', 'node', 'pwsh'] as const;
type Language = (typeof languages)[number];

/** The first file of a new job, and what starts it. */
const mains: Readonly<Record<Language, { readonly file: string; readonly command: string }>> = {
  bash: { file: 'main.sh', command: './main.sh' },
  python: { file: 'main.py', command: './main.py' },
  node: { file: 'main.mjs', command: './main.mjs' },
  pwsh: { file: 'main.ps1', command: '[pwsh, -NoLogo, -NoProfile, -NonInteractive, -File, ./main.ps1]' },
};

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const output = createOutput(options);
  const [name] = options.get('name') ?? [];
  const path = oneOperand(operands, 'flwd init PATH, as in flwd init jobs/hello');
  const files = newJob(readChoice(options, 'language', languages) ?? 'bash', name ?? titleOf(path));
  await writeJob(path, files);
  await describeJob(path, files, { options, output, sample: '' });
  return exitCodes.done;
}

function newJob(language: Language, title: string): NewFile[] {
  const { file, command } = mains[language];
  const config = readTemplate('config.yaml')
    .replace('name: NAME', () => `name: ${JSON.stringify(title)}`)
    .replace('command: COMMAND', () => `command: ${command}`);
  return [
    { name: 'config.yaml', text: config, mode: 0o644 },
    { name: file, text: readTemplate(file), mode: 0o755 },
    { name: 'tests.yaml', text: readTemplate('tests.yaml'), mode: 0o644 },
  ];
}

function readTemplate(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../packaging/new-job/${name}`, import.meta.url)), 'utf8');
}

/** `jobs/nightly-report` → `Nightly report`. @throws Refusal */
function titleOf(path: string): string {
  const name = basename(resolve(path))
    .replaceAll(/[-_.]+/g, ' ')
    .trim();
  if (name === '') throw new Refusal(`${path} names no job: flwd init jobs/hello`);
  return `${name[0]?.toUpperCase()}${name.slice(1)}`;
}
