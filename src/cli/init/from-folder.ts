// `flwd init --from DIR`: turns each script of a folder into a job, and says what it left out and why.

import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { shellWord } from '../../lib/shell-word.ts';
import { jobsDir, type Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import { fileTrouble } from '../file-trouble.ts';
import { oneOperand } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { commandText } from '../session/command-text.ts';
import { configurationIfAny, type From, foundArguments } from './from-script.ts';
import { locate, writeJob } from './job-folder.ts';
import { longNameOfScript, placeOfScript, sourceFolder, titleOf } from './job-name.ts';
import { createLines, type Needs, needsJson, needsOf, securityLines, unaskedLines } from './needs.ts';
import { isOfTargets, jobOfScript, type ScriptJob, targetsByHand } from './script-job.ts';

type Made = { readonly path: string; readonly script: string; readonly job: ScriptJob; readonly needs: Needs };
type LeftOut = { readonly file: string; readonly reason: string };

export async function fromFolder(dir: string, o: From): Promise<void> {
  const { options, output } = o;
  if (o.name !== undefined) throw new Refusal('--name is for one job: leave it out with a folder');
  const folder =
    o.operands.length === 0 ? sourceFolder(options) : oneOperand(o.operands, `${ownName} init --from DIR FOLDER`);
  const { made, leftOut } = await makeJobs(dir, folder, o);
  if (made.length === 0 && !leftOut.some(({ reason }) => reason.startsWith(skippedBecause)))
    throw new Refusal([`${dir} has no script that can become a job`, ...leftOut.map(lineOf)].join('\n'));
  if (output.isJson)
    output.json({
      jobs: made.map(({ path, script, job, needs }) => ({
        folder: path,
        script,
        files: job.files.map(({ name }) => join(path, name)),
        needs: needsJson(needs),
      })),
      left_out: leftOut,
    });
  else output.text(made.map(({ path }) => `${path}\n`).join(''));
  for (const line of reportOf(made, leftOut, options)) output.say(line);
  const [first] = made;
  if (first) await sayNext(first.path, folder, o);
}

function reportOf(made: readonly Made[], leftOut: readonly LeftOut[], options: Options): string[] {
  const isUnasked = made.some(({ needs }) => unaskedLines(needs).length > 0);
  const paths = [...new Set(made.flatMap(({ needs }) => needs.paths))];
  const isProfileMissing = made.some(({ needs }) => needs.isProfileMissing);
  return [
    ...made.flatMap(({ path, script, job, needs }) => [
      `${path}, from ${script}: ${foundArguments(job.guess)}${job.guess.doubts.length > 0 ? ', uncertain' : ''}`,
      ...unaskedLines(needs).map((line) => `  needs a permission: ${line}`),
      ...needs.notes.map((note) => `  to do: ${note}`),
    ]),
    ...(leftOut.length === 0 ? [] : ['left out:', ...leftOut.map(lineOf)]),
    ...(isUnasked
      ? [
          'to give a job its permissions, remove the # and the space after it from these lines in its config.yaml, or remove its folder and use --allow',
        ]
      : []),
    ...createLines([...new Set(made.flatMap(({ needs }) => needs.create))]),
    ...securityLines({ paths, isProfileMissing }, configurationIfAny(options)),
  ];
}

function lineOf({ file, reason }: LeftOut): string {
  return `  ${file}: ${reason}`;
}

async function makeJobs(dir: string, folder: string, { options, asking }: From) {
  const made: Made[] = [];
  const leftOut: LeftOut[] = [];
  const security = configurationIfAny(options)?.config.security;
  for (const file of namesIn(dir)) {
    const script = join(dir, file);
    const isTaken = made.some(({ path }) => path === placeOfScript(file, folder));
    const path = isTaken ? join(folder, longNameOfScript(file)) : placeOfScript(file, folder);
    try {
      const reason = reasonAgainst(script) ?? (isFree(path) ? undefined : `${skippedBecause} ${path} is not empty`);
      if (reason === undefined) {
        const job = jobOfScript(script, titleOf(path), asking);
        await writeJob(path, job.files);
        made.push({ path, script, job, needs: needsOf(job, asking, security) });
      } else leftOut.push({ file, reason });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      leftOut.push({ file, reason: error.message.replace(`${script}: `, '') });
    }
  }
  const isCopied = (file: string): boolean => made.some(({ job }) => job.files.some(({ name }) => name === file));
  return {
    made,
    leftOut: leftOut.map(({ file, reason }) => ({
      file,
      reason: isCopied(file) ? `${reason}; copied into the jobs that read it` : reason,
    })),
  };
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir).toSorted();
  } catch (error) {
    throw new Refusal(`cannot read the folder ${dir}: ${fileTrouble(error)}`);
  }
}

const skippedBecause = 'skipped, because';

/** Says why a file cannot become a job; undefined if it can. */
function reasonAgainst(path: string): string | undefined {
  if (/(?:^|\/)\.[^/]*$/.test(path)) return 'hidden';
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return `a folder: ${ownName} init --from ${shellWord(path)} turns its scripts into jobs`;
  if (!stat?.isFile()) return 'not a file';
  if ((stat.mode & 0o111) !== 0) return undefined;
  try {
    if (beginsWithInterpreter(path)) return undefined;
    return isOfTargets(path) ? targetsByHand : 'not executable, and has no #! line';
  } catch (error) {
    return `cannot be read: ${fileTrouble(error)}`;
  }
}

/** Reads only two bytes, because the file may be large. */
function beginsWithInterpreter(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(2);
    readSync(file, start);
    return start.toString() === '#!';
  } finally {
    closeSync(file);
  }
}

function isFree(path: string): boolean {
  return !existsSync(path) || (statSync(path).isDirectory() && readdirSync(path).length === 0);
}

async function sayNext(path: string, folder: string, { options, output }: From): Promise<void> {
  const found = await locate(path, options, output);
  if (found?.id === undefined) return;
  const jobs = [...(options.get(jobsDir.name) ?? []), ...(found.isOutside ? [folder] : [])];
  const within = new Map([...options, [jobsDir.name, jobs]]);
  for (const line of [
    'next:',
    `  ${commandText(within, 'jobs')}`,
    `  ${commandText(within, 'run', found.id, '--help')}`,
  ])
    output.say(line);
}
