// Turns an existing script into the files of a job that runs it.

import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { withoutPasswords } from '../../lib/secret-name.ts';
import { Refusal } from '../exit-code.ts';
import { codeUses } from './code-uses.ts';
import { guessBash } from './guess-bash.ts';
import { guessNode } from './guess-node.ts';
import { guessPython } from './guess-python.ts';
import type { NewFile } from './job-folder.ts';
import { type PathRequests, pathRequestsOf } from './path-requests.ts';
import { type Asking, permissionLines } from './permission-lines.ts';
import { plainText, type Roots } from './place.ts';
import type { ArgumentSchema, Guess, ScriptArgument } from './script-arguments.ts';
import { dataFiles, networkUse, siblingsOf } from './script-surroundings.ts';
import { bashWrapper, nodeWrapper } from './script-wrapper.ts';
import { shellUses } from './shell-uses.ts';
import { type Note, noUses, type Uses } from './uses.ts';
import { scalar } from './yaml-text.ts';

type Script = { readonly file: string; readonly text: string; readonly mode: number; readonly language: Language };
export type Language = 'sh' | 'python' | 'node' | 'pwsh' | 'other';

const mostBytes = 2 ** 20;
const noGuess: Guess = { arguments: [], doubts: [], passedOver: [] };

export type ScriptJob = {
  readonly files: readonly NewFile[];
  readonly guess: Guess;
  readonly uses: Uses;
  readonly requests: PathRequests;
};

/** @throws Refusal */
export function jobOfScript(path: string, title: string, asking: Asking): ScriptJob {
  const script = readScript(path);
  const guessed = guessOf(script);
  const folder = dirname(resolve(path));
  const found = usesOf(script, guessed.arguments, { home: asking.home, script: folder });
  const siblings = siblingsOf(path, script.language, script.text);
  const data = dataFiles(found, { language: script.language, script: script.file, folder, home: asking.home });
  const uses = {
    ...found,
    notes: [...found.notes, ...data.notes, ...questionsIn(guessed.arguments), ...lineEndsOf(script)],
  };
  const beside = [
    ...siblings.files,
    ...data.files.filter(({ name }) => !siblings.files.some((one) => one.name === name)),
  ];
  const guess = {
    ...guessed,
    arguments: guessed.arguments.map((argument) => withFormat(argument, uses)),
    doubts: [...guessed.doubts, ...siblings.doubts],
  };
  const requests = pathRequestsOf(uses, guess.arguments, asking.home);
  const wrapper = wrapperOf(script, guess, beside);
  const copy: NewFile = { name: script.file, text: script.text, mode: script.mode };
  const config = [
    ...configOf(script, { title, guess, command: wrapper ? `./${wrapper.name}` : commandOf(script) }),
    ...permissionLines(uses, requests, asking),
  ];
  return {
    files: [
      { name: 'config.yaml', text: `${config.join('\n')}\n`, mode: 0o644 },
      copy,
      ...beside,
      ...(wrapper ? [wrapper] : []),
      { name: 'tests.yaml', text: testsOf(guess), mode: 0o644 },
    ],
    guess,
    uses,
    requests,
  };
}

/**
 * Empties the lines that are too long for code, such as an embedded archive. A guess from a line of 100 kB would take
 * minutes.
 */
function withoutData(text: string): string {
  return text.replaceAll(/^.{1001,}$/gm, '');
}

export function usesOf(
  { language, text }: Pick<Script, 'language' | 'text'>,
  all: readonly ScriptArgument[],
  roots: Roots,
): Uses {
  const code = withoutData(text);
  const plain = plainText(code);
  if (language === 'sh') return shellUses(plain, all, roots);
  const network = networkUse(language, code);
  if (language === 'python' || language === 'node')
    return codeUses(language, plain, { arguments: all, roots, network });
  return { ...noUses, network };
}

/**
 * Notes that the script has Windows line endings. A shell adds their carriage return to the last word of each line, and
 * the kernel adds it to the interpreter's name.
 */
function lineEndsOf({ language, text }: Script): Note[] {
  if (!text.includes('\r\n') || (language !== 'sh' && !text.startsWith('#!'))) return [];
  return [
    {
      text: 'the script has Windows line endings: save it with Unix line endings, for example with `dos2unix`, and start over',
    },
  ];
}

/** Questions that a person answers with yes or no. */
function questionsIn(all: readonly ScriptArgument[]): Note[] {
  const skip = all.find(({ name, handing: { as } }) => as === 'switch' && /^(?:assume_)?yes$|^force$/.test(name));
  return all
    .filter(
      ({ handing, schema }) => handing.as === 'input' && /\by(?:es)?\s*\/\s*no?\b/i.test(schema.description ?? ''),
    )
    .map(({ name, line }) => ({
      text:
        `line ${line} asks a question: a run answers it with --${name}${skip ? ` or skips it with --${skip.name}` : ''}; ` +
        'to ask a person while the run waits, use a step with an approval',
    }));
}

/** Gives an argument the format `path` if the script opens its value as a file. */
function withFormat(argument: ScriptArgument, { files }: Uses): ScriptArgument {
  const { schema, name } = argument;
  const isPlain = schema.type === 'string' && schema.format === undefined && schema.enum === undefined;
  const isOpened = files.some(({ place }) => place.arg === name && place.isWhole);
  return isPlain && isOpened ? { ...argument, schema: { ...schema, format: 'path' } } : argument;
}

export const targetsByHand = 'write a job for each target by hand, as docs/guides/existing-scripts.md shows';

/** Whether the file has targets, which flwd does not read. */
export function isOfTargets(path: string): boolean {
  return /^(?:(?:GNU)?[Mm]akefile|package\.json)$/.test(basename(path));
}

function readScript(path: string): Script {
  const file = basename(path);
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Refusal(`${path} is not a file`);
    if (stat.size > mostBytes) throw new Refusal(`${path} is larger than 1 MiB, which is too large for a script`);
    // The name becomes a word of the wrapper script.
    if (!/^[\w.+@][\w.+@-]*$/.test(file))
      throw new Refusal(
        `the file name ${file} does not work in a job: rename the script, with A to Z, a to z, 0 to 9 and _ . + @ - only`,
      );
    if (/^config\.ya?ml$/.test(file)) throw new Refusal(`a job has a ${file} of its own: rename the script`);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    const script = { file, text, mode: stat.mode & 0o777, language: languageOf(file, text) };
    const canStart = script.language !== 'other' || (text.startsWith('#!') && (stat.mode & 0o111) !== 0);
    if (canStart) return script;
    if (isOfTargets(path)) throw new Refusal(`${path}: ${targetsByHand}`);
    throw new Refusal(
      `${path}: cannot tell its language: give it a known extension, or add a #! line and make it executable with chmod +x`,
    );
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const code = errorCode(error);
    if (code === 'ENOENT') throw new Refusal(`there is no file ${path}`);
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw new Refusal(`${path} is not a script: it is not UTF-8 text`);
    throw new Refusal(`cannot read ${path} (${code ?? 'unreadable'})`);
  }
}

export function languageOf(file: string, text: string): Language {
  const ending = /\.(\w+)$/.exec(file)?.[1] ?? '';
  const byEnding: Readonly<Record<string, Language>> = {
    sh: 'sh',
    bash: 'sh',
    py: 'python',
    js: 'node',
    mjs: 'node',
    cjs: 'node',
    ps1: 'pwsh',
  };
  const [first = ''] = text.split('\n', 1);
  const program = /^#!\s*(?:\S*\/env\s+(?:-\S+\s+|\w+=\S*\s+)*)?(?:\S*\/)?(\S+)/.exec(first)?.[1] ?? '';
  const byProgram: readonly (readonly [RegExp, Language])[] = [
    [/^(?:ba|da|k|a)?sh$/, 'sh'],
    [/^python[\d.]*$/, 'python'],
    [/^node$/, 'node'],
    [/^pwsh$/, 'pwsh'],
  ];
  return byEnding[ending] ?? byProgram.find(([pattern]) => pattern.test(program))?.[1] ?? 'other';
}

export function guessOf({ language, text }: Pick<Script, 'language' | 'text'>): Guess {
  const code = withoutData(text);
  if (language === 'sh') return guessBash(code);
  if (language === 'python') return guessPython(code);
  if (language === 'node') return guessNode(code);
  return { ...noGuess, doubts: ['flwd cannot guess what a script in this language takes'] };
}

/** Shell scripts always get a wrapper: they expect a plain shell, not a job's strict one. */
function wrapperOf(
  { file, text, mode, language }: Script,
  guess: Guess,
  siblings: readonly NewFile[],
): NewFile | undefined {
  if (!['sh', 'python', 'node'].includes(language) || (language !== 'sh' && guess.arguments.length === 0))
    return undefined;
  const hasOptions = guess.arguments.some(({ handing: { as } }) => as === 'option' || as === 'switch');
  const isTaken = (name: string) => file === name || siblings.some((sibling) => sibling.name === name);
  const wrapped = { file, arguments: guess.arguments, knowsEnd: hasOptions && language !== 'sh' };
  if (language === 'node') {
    const name = isTaken('run.mjs') ? 'flwd-run.mjs' : 'run.mjs';
    return { name, text: nodeWrapper({ ...wrapped, interpreter: undefined }), mode: 0o755 };
  }
  const startsItself = text.startsWith('#!') && (mode & 0o111) !== 0;
  const shell = /^#!\s*\S*\bsh\b/.test(text) && !/^#!.*\bbash\b/.test(text) ? 'sh' : 'bash';
  const interpreter = language === 'python' ? 'python3 -u' : startsItself ? undefined : shell;
  const name = isTaken('run.sh') ? 'flwd-run.sh' : 'run.sh';
  return { name, text: bashWrapper({ ...wrapped, interpreter }), mode: 0o755 };
}

function commandOf({ file, language }: Script): string {
  return language === 'pwsh'
    ? `[pwsh, -NoLogo, -NoProfile, -NonInteractive, -File, ${scalar(`./${file}`)}]`
    : scalar(`./${file}`);
}

function configOf(
  script: Script,
  o: { readonly title: string; readonly guess: Guess; readonly command: string },
): string[] {
  const { guess } = o;
  const description = descriptionOf(script);
  const required = guess.arguments.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  const isWrapped = !o.command.includes(script.file);
  return [
    `# Created from ${script.file} by flwd init --from. The arguments are guessed from its text, without running it: check`,
    '# every line. `flwd jobs validate DIR` finds errors; docs/jobs.md describes all keys.',
    `name: ${scalar(o.title)}`,
    ...(description === undefined ? [] : [`description: ${scalar(description)}`]),
    '',
    ...(isWrapped ? [`# Passes the arguments to ${script.file} the way it expects them.`] : []),
    `command: ${o.command}`,
    '',
    'argspec:',
    '  type: object',
    ...(required.length > 0 ? [`  required: [${required.join(', ')}]`] : []),
    `  properties:${guess.arguments.length === 0 ? ' {}' : ''}`,
    ...guess.arguments.flatMap(memberLines),
    ...guess.doubts.map((doubt) => `    # Not sure: ${doubt.replaceAll(/\s+/g, ' ').slice(0, 200)}.`),
    ...(guess.doubts.length > 0
      ? [`    # an_argument: { type: string }   and pass it on in ${isWrapped ? o.command : 'a script of your own'}`]
      : []),
    ...(guess.passedOver.length > 0
      ? [`    # Left out, because it only prints help or a version: ${guess.passedOver.join('; ')}.`]
      : []),
    '',
  ];
}

/** All generated tests are commented out, because nobody knows what the script does to this machine. */
function testsOf({ arguments: all }: Guess): string {
  const given = all.filter(({ isRequired }) => isRequired).map(({ name }) => `${name}: VALUE`);
  const lines = [
    '# `flwd test` runs these tests. Each really runs the job, in the sandbox, so decide first what is safe to run and',
    '# what to expect. docs/jobs.md lists everything that a test can expect.',
    '# - name: does what it should',
    ...(given.length > 0 ? [`#   args: { ${given.join(', ')} }`] : []),
    '#   expect:',
    '#     exit_code: 0',
    '#     log: ["part of a line that it prints"]',
  ];
  return `${lines.join('\n')}\n`;
}

function memberLines({ name, line, schema, handing }: ScriptArgument): string[] {
  const how = {
    environment: 'in the environment',
    input: 'as a line of standard input',
    position: 'by position',
    rest: 'as all remaining words',
  };
  const written =
    handing.as === 'option' || handing.as === 'switch'
      ? `as ${handing.flag ?? ('negation' in handing ? handing.negation : '')}`
      : handing.as === 'environment'
        ? `as $${handing.variable}`
        : how[handing.as];
  return [
    `    # Guessed from line ${line}, passed ${written}: check it.`,
    `    ${name}:`,
    ...Object.entries(schema).map(([key, value]) => `      ${key}: ${flow(value)}`),
  ];
}

function flow(value: ArgumentSchema[keyof ArgumentSchema]): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object')
    return `{ ${Object.entries(value)
      .map(([key, one]) => `${key}: ${one}`)
      .join(', ')} }`;
  return scalar(value);
}

const mostDescription = 1_000;

/** The first paragraph of the comment or docstring at the top of the script. */
function descriptionOf({ language, text }: Script): string | undefined {
  const body = text
    .replaceAll('\r\n', '\n')
    .replace(/^#!.*\n/, '')
    .replaceAll(/^#\s*(?:-\*-|shellcheck|vim:|coding[:=]|pylint|Copyright|SPDX).*\n/gim, '');
  const [, docstring] = /^\s*(?:#.*\n|\s)*[rRuU]?("""|''')\s*([\s\S]*?)\1/.exec(body)?.slice(1) ?? [];
  const [, block] = /^\s*\/\*\*?([\s\S]*?)\*\//.exec(body) ?? [];
  const [lines] = /^\s*(?:(?:#|\/\/)[^\n]*\n?)+/.exec(body) ?? [];
  const said =
    (language === 'python' ? docstring : undefined) ?? (language === 'node' ? block : undefined) ?? lines ?? '';
  const [paragraph = ''] = said
    .split('\n')
    .map((line) => line.replace(/^\s*(?:#+|\/\/+|\*)?\s?/, '').trim())
    .join('\n')
    .trim()
    .split(/\n\s*\n/);
  const words = paragraph
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, mostDescription);
  return words === '' ? undefined : withoutPasswords(words);
}
