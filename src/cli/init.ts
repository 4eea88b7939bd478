// `flwd init`: creates a new job that is ready to run, or turns an existing script into a job.

import { readFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Options } from './command.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { describeJob, type NewFile, writeJob } from './init/job-folder.ts';
import { flagOf } from './job/argument-words.ts';
import { oneOperand, readChoice } from './option-values.ts';
import { loadConfiguration } from './session/configuration.ts';
import { createOutput, type Output } from './terminal/output.ts';

const languages = ['bash', 'python', 'node', 'pwsh'] as const;
type Language = (typeof languages)[number];

/** The script of a new job, and the command that starts it. */
const mains: Readonly<Record<Language, { readonly file: string; readonly command: string }>> = {
  bash: { file: 'main.sh', command: './main.sh' },
  python: { file: 'main.py', command: './main.py' },
  node: { file: 'main.mjs', command: './main.mjs' },
  pwsh: { file: 'main.ps1', command: '[pwsh, -NoLogo, -NoProfile, -NonInteractive, -File, ./main.ps1]' },
};

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const output = createOutput(options);
  const [name] = options.get('name') ?? [];
  const [script] = options.get('from') ?? [];
  if (script !== undefined) return initFrom(script, { options, operands, name, output });
  const path = oneOperand(operands, 'flwd init PATH, as in flwd init jobs/hello');
  const files = newJob(readChoice(options, 'language', languages) ?? 'bash', name ?? titleOf(path));
  await writeJob(path, files);
  await describeJob(path, files, { options, output, sample: [] });
  return exitCodes.done;
}

async function initFrom(
  script: string,
  o: {
    readonly options: Options;
    readonly operands: readonly string[];
    readonly name: string | undefined;
    readonly output: Output;
  },
): Promise<ExitCode> {
  const { options, output } = o;
  if (options.has('language')) throw new Refusal('--language is for new jobs: leave it out with --from');
  const path =
    o.operands.length === 0 ? placeFor(script, options) : oneOperand(o.operands, 'flwd init --from SCRIPT PATH');
  const { jobOfScript } = await import('./init/script-job.ts');
  const { files, guess } = jobOfScript(script, o.name ?? titleOf(path));
  await writeJob(path, files);
  const required = guess.arguments.filter(({ isRequired }) => isRequired);
  const sample = required.flatMap(({ name, schema }) => {
    const flag = flagOf({ path: [name] });
    return schema.format === 'secret' ? [`${flag}.file`, 'FILE'] : [flag, 'VALUE'];
  });
  await describeJob(path, files, { options, output, sample });
  const count = guess.arguments.length;
  const found = count === 0 ? 'found no arguments' : `guessed ${count === 1 ? '1 argument' : `${count} arguments`}`;
  const doubts = guess.doubts.length > 0 ? '; comments there mark what is uncertain' : '';
  output.say(`${found}: check ${join(path, 'config.yaml')}${doubts}`);
  return exitCodes.done;
}

/** In the first source, with the name of the script. */
function placeFor(script: string, options: Options): string {
  const [source] = loadConfiguration(options).config.sources;
  const folder = source && source.path !== process.cwd() ? relative(process.cwd(), source.path) : 'jobs';
  const name = basename(script)
    .replace(/\.\w+$/, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '');
  return join(folder, name === '' ? 'script' : name);
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
  if (name === '') throw new Refusal(`${path} does not name a job: try flwd init jobs/hello`);
  return `${name[0]?.toUpperCase()}${name.slice(1)}`;
}
