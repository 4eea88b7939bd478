// Turns an existing script into the files of a job that runs it.

import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { withoutPasswords } from '../../lib/secret-name.ts';
import { Refusal } from '../exit-code.ts';
import { guessBash } from './guess-bash.ts';
import { guessNode } from './guess-node.ts';
import { guessPython } from './guess-python.ts';
import type { NewFile } from './job-folder.ts';
import type { ArgumentSchema, Guess, ScriptArgument } from './script-arguments.ts';
import { networkUse, pathArguments, siblingsOf, writtenPaths } from './script-surroundings.ts';
import { bashWrapper, nodeWrapper } from './script-wrapper.ts';

type Script = { readonly file: string; readonly text: string; readonly mode: number; readonly language: Language };
type Language = 'sh' | 'python' | 'node' | 'pwsh' | 'other';

const mostBytes = 2 ** 20;
const noGuess: Guess = { arguments: [], doubts: [], passedOver: [] };

export type ScriptJob = {
  readonly files: readonly NewFile[];
  readonly guess: Guess;
};

/** @throws Refusal */
export function jobOfScript(path: string, title: string): ScriptJob {
  const script = readScript(path);
  const found = guessOf(script);
  const siblings = siblingsOf(path, script.language, script.text);
  const guess = { ...found, doubts: [...found.doubts, ...siblings.doubts] };
  const wrapper = wrapperOf(script, guess, siblings.files);
  const copy: NewFile = { name: script.file, text: script.text, mode: script.mode };
  const config = configOf(script, { title, guess, command: wrapper ? `./${wrapper.name}` : commandOf(script) });
  return {
    files: [
      { name: 'config.yaml', text: config, mode: 0o644 },
      copy,
      ...siblings.files,
      ...(wrapper ? [wrapper] : []),
      { name: 'tests.yaml', text: testsOf(guess), mode: 0o644 },
    ],
    guess,
  };
}

function readScript(path: string): Script {
  const file = basename(path);
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Refusal(`${path} is not a file`);
    if (stat.size > mostBytes) throw new Refusal(`${path} is larger than 1 MiB, which is too large for a script`);
    // The name becomes a word of the wrapper script.
    if (!/^[\w.+@][\w.+@-]*$/.test(file) || /^config\.ya?ml$/.test(file))
      throw new Refusal(`the file name ${file} does not work in a job: rename the script`);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    const script = { file, text, mode: stat.mode & 0o777, language: languageOf(file, text) };
    const canStart = script.language !== 'other' || (text.startsWith('#!') && (stat.mode & 0o111) !== 0);
    if (canStart) return script;
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

function languageOf(file: string, text: string): Language {
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

function guessOf({ language, text }: Script): Guess {
  if (language === 'sh') return guessBash(text);
  if (language === 'python') return guessPython(text);
  if (language === 'node') return guessNode(text);
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
): string {
  const { guess } = o;
  const description = descriptionOf(script);
  const required = guess.arguments.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  const isWrapped = !o.command.includes(script.file);
  const lines = [
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
    ...permissionLines(script, guess),
  ];
  return `${lines.join('\n')}\n`;
}

function permissionLines({ language, text }: Script, guess: Guess): string[] {
  const { read, write, unsure } = pathArguments(guess.arguments);
  const network = networkUse(language, text);
  const written = language === 'sh' ? writtenPaths(text) : [];
  const isAsked = read.length + write.length > 0;
  const mark = isAsked ? '  # ' : '#   ';
  return [
    '# A job has no network. It sees its own folder and a read-only system, and starts in an empty folder. Permissions allow',
    '# more. The operator must list folders for read and write in flwd.yaml: security: { paths: [/srv/data] }',
    ...(network === undefined ? [] : networkWarning),
    isAsked ? 'permissions:' : '# permissions:',
    ...(read.length > 0 ? [`  read: ${listOf(read)}`] : []),
    ...(write.length > 0 ? [`  write: ${listOf(write)}`] : []),
    `${mark}network: all${network === undefined ? '' : `   # probably needed: ${network}`}`,
    ...(read.length > 0 ? [] : [`${mark}read: ${unsure.length > 0 ? listOf(unsure) : '[/srv/data, { arg: folder }]'}`]),
    ...(write.length > 0 || unsure.length === 0 ? [] : [`${mark}write: ${listOf(unsure)}`]),
    ...written.map(
      ({ path, line }) =>
        `# Line ${line} writes ${path}, which a job cannot: make it an argument, or add write: [${path}]`,
    ),
  ];
}

const networkWarning = [
  '# With network access, the job can reach the internet, the local networks and everything that listens on this machine,',
  '# including 127.0.0.1: databases without a password, development servers. The flwd API asks it for a token.',
];

function listOf(names: readonly string[]): string {
  return `[${names.map((name) => `{ arg: ${name} }`).join(', ')}]`;
}

/** All tests are comments, because nobody knows what the script does to this machine. */
function testsOf({ arguments: all }: Guess): string {
  const given = all.filter(({ isRequired }) => isRequired).map(({ name }) => `${name}: VALUE`);
  const lines = [
    '# Tests of the job, run by `flwd test`, for real and in the sandbox. So decide first what is safe to run and what to',
    '# expect. docs/jobs.md lists everything that a test can expect.',
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
      ? `as ${handing.flag}`
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

/** Quotes a text unless plain YAML means the same text. */
function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const isPlain =
    /^[A-Za-z.][\w ./-]*\w$/.test(value) &&
    !/^(?:true|false|null|yes|no|on|off|\.(?:inf|nan).*)$|^[.\d]+$/i.test(value);
  return isPlain ? value : JSON.stringify(value);
}

const mostDescription = 1_000;

/** The first paragraph of the comment or docstring at the top of the script. */
function descriptionOf({ language, text }: Script): string | undefined {
  const body = text
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
