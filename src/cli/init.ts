// `flwd init`: creates a new job that is ready to run, or turns an existing script into a job.

import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Options } from './command.ts';
import { Refusal } from './exit-code.ts';
import { describeJob, type NewFile, writeJob } from './init/job-folder.ts';
import { titleOf } from './init/job-name.ts';
import type { Asking } from './init/permission-lines.ts';
import { userHome } from './init/script-arguments.ts';
import { oneOperand, readChoice } from './option-values.ts';
import { ownName } from './own-name.ts';
import { createOutput } from './terminal/output.ts';

const languages = ['bash', 'python', 'node', 'pwsh'] as const;
type Language = (typeof languages)[number];

/** The script of a new job, and the command that starts it. */
const mains: Readonly<Record<Language, { readonly file: string; readonly command: string }>> = {
  bash: { file: 'main.sh', command: './main.sh' },
  python: { file: 'main.py', command: './main.py' },
  node: { file: 'main.mjs', command: './main.mjs' },
  pwsh: { file: 'main.ps1', command: '[pwsh, -NoLogo, -NoProfile, -NonInteractive, -File, ./main.ps1]' },
};

const securityProfiles = ['secure', 'permissive', 'disabled'] as const;

export async function run(given: Options, operands: readonly string[]): Promise<void> {
  const asking = askingOf(given);
  // Here, --profile is the profile of the job, not the instance's.
  const options = new Map([...given].filter(([option]) => option !== 'profile'));
  const output = createOutput(options);
  const [name] = options.get('name') ?? [];
  const [script] = options.get('from') ?? [];
  if (script !== undefined) {
    if (options.has('language')) throw new Refusal('--language is for new jobs: leave it out with --from');
    const from = { options, asking, operands, name, output };
    const isFolder = statSync(script, { throwIfNoEntry: false })?.isDirectory() === true;
    return isFolder
      ? (await import('./init/from-folder.ts')).fromFolder(script, from)
      : (await import('./init/from-script.ts')).fromScript(script, from);
  }
  if (given.has('profile') || given.has('allow'))
    throw new Refusal('--profile and --allow are for --from: in a new job, write security_profile and permissions');
  const path = oneOperand(operands, `${ownName} init PATH, as in ${ownName} init jobs/hello`);
  const files = newJob(readChoice(options, 'language', languages) ?? 'bash', name ?? titleOf(path));
  await writeJob(path, files);
  await describeJob(path, files, { options, output, sample: [] });
}

function askingOf(options: Options): Asking {
  return {
    profile: readChoice(options, 'profile', securityProfiles) ?? 'secure',
    isAllowed: options.has('allow'),
    home: userHome(),
  };
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
