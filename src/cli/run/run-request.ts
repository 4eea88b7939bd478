// Builds the request for a run from the words of a command line.

import type { Client } from '../../client/client.ts';
import type { BodyOf } from '../../contract/operations.ts';
import { type ArgumentField, argumentFields, setArgument } from '../../domain/argument-fields.ts';
import { flagOf } from '../../domain/argument-flags.ts';
import type { JsonObject } from '../../domain/job.ts';
import { defined } from '../../lib/defined.ts';
import { shellWord } from '../../lib/shell-word.ts';
import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { Refusal } from '../exit-code.ts';
import { argumentErrors, toLines } from '../explained.ts';
import { readGivenFile } from '../given-file.ts';
import { readArguments, sharedWords, type WordError, waysToGive } from '../job/argument-words.ts';
import type { Job } from '../job/known-jobs.ts';
import { readChoice, readValue } from '../option-values.ts';
import type { Output } from '../terminal/output.ts';
import { askSecret } from '../terminal/secret-prompt.ts';

type Request = BodyOf<'createRun'>;
type Asked = { readonly client: Client; readonly output: Output };

/** At a terminal, asks for missing secrets. @throws Refusal that lists everything wrong with the arguments */
export async function readRunRequest(job: Job, call: Call, { client, output }: Asked): Promise<Request> {
  const { fields, args: given, errors, terms } = await readWords(job, call, output);
  const args = errors.length > 0 ? given : await askForSecrets(fields, given);
  const request = { job_id: job.id, args: toJson(args), ...terms };
  const missing = missingFields(fields, request.args, errors).filter(
    ({ kind }) => kind !== 'secret' || !isAtTerminal(),
  );
  await assertSound([...errors, ...missing.map(toMissing)], () => client.call('createPlan', { body: request }));
  return request;
}

type PlanRequest = {
  readonly request: Request;
  /** Required secrets that are not given. A plan does not need them, but a run does. */
  readonly missingSecrets: readonly ArgumentField[];
};

/** Asks for no secrets, since nothing runs. @throws Refusal that lists everything else wrong with the arguments */
export async function readPlanRequest(job: Job, call: Call, { client, output }: Asked): Promise<PlanRequest> {
  const { fields, args, errors, terms } = await readWords(job, call, output);
  const request = { job_id: job.id, args: toJson(args), ...terms };
  const missing = missingFields(fields, request.args, errors);
  const missingSecrets = missing.filter(({ kind }) => kind === 'secret');
  if (errors.length > 0 || missingSecrets.length < missing.length)
    await assertSound([...errors, ...missing.map(toMissing)], () => client.call('createPlan', { body: request }));
  return { request, missingSecrets };
}

async function readWords(job: Job, call: Call, output: Output) {
  const { options } = call;
  const fields = argumentFields(job.args);
  const { args, errors } = readArguments(fields, call, await readBase(options), output.warn);
  const terms = defined({
    security_profile: readChoice(options, 'security-profile', ['secure', 'permissive', 'disabled']),
    tenant: readValue(options, 'tenant'),
  });
  return { fields, args, errors: [...sharedWords(fields, call), ...errors], terms };
}

/**
 * If the command line has errors, this also asks the server (`ask`), so that one message lists the errors of both.
 * @throws Refusal if there are errors
 */
export async function assertSound(errors: readonly WordError[], ask: () => Promise<unknown>): Promise<void> {
  if (errors.length === 0) return;
  const named = errors.flatMap(({ path }) => (path ? [`${pointerOf(path)}/`] : []));
  const isNamed = (pointer: string): boolean =>
    named.some((one) => one.startsWith(`${pointer}/`) || `${pointer}/`.startsWith(one));
  const further = await ask().then(
    () => [],
    (error: unknown) => argumentErrors(error).filter(({ pointer }) => !isNamed(pointer)),
  );
  throw new Refusal(toLines([...errors.map(({ message }) => message), ...further.map(({ line }) => line)]));
}

function pointerOf(path: readonly string[]): string {
  return ['/args', ...path.map((name) => name.replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');
}

export function toJson(args: Record<string, unknown>): JsonObject {
  return JSON.parse(JSON.stringify(args));
}

/** Larger YAML is refused. Reading dense YAML of this size already takes seconds. */
const yamlLimitBytes = 1024 * 1024;

/** The value of `--args` or `--args-file`. @throws Refusal */
export async function readBase(options: Options): Promise<Record<string, unknown>> {
  const text = readValue(options, 'args');
  const file = readValue(options, 'args-file');
  if (text !== undefined && file !== undefined)
    throw new Refusal('--args and --args-file are both given: use one of them');
  if (text?.startsWith('@'))
    throw new Refusal(`--args takes JSON; to read a file: --args-file ${shellWord(text.slice(1))}`);
  if (text === '-') return parseArgs(await readGivenFile('-', '--args -'), '--args -');
  if (text !== undefined) return parseArgs(text, '--args');
  if (file !== undefined) return parseArgs(await readGivenFile(file, `--args-file ${file}`), `--args-file ${file}`);
  return {};
}

async function parseArgs(text: string, written: string): Promise<Record<string, unknown>> {
  const value = /^\s*\{/.test(text) ? parseJson(text, written) : await parseYaml(text, written);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refusal(`${written} must be an object such as {"target": "/srv"}`);
  return { ...value };
}

function parseJson(text: string, written: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    throw new Refusal(`${written} is not valid JSON: ${error instanceof Error ? error.message : ''}`);
  }
}

async function parseYaml(text: string, written: string): Promise<unknown> {
  if (Buffer.byteLength(text) > yamlLimitBytes)
    throw new Refusal(`${written} is not JSON, and YAML may have at most ${yamlLimitBytes / 1024 / 1024} MiB`);
  const { findTooDeep, tooDeep } = await import('../../lib/yaml/yaml-nesting.ts');
  if (findTooDeep(text) !== undefined) throw new Refusal(`${written}: ${tooDeep}`);
  const { LineCounter, parseDocument } = await import('yaml');
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [error] = document.errors;
  if (error) {
    const { documentWords } = await import('../../lib/yaml/yaml-words.ts');
    const { line, col } = lineCounter.linePos(error.pos[0]);
    const words = documentWords(error, document, lineCounter);
    throw new Refusal(`${written} is neither JSON nor YAML: line ${line}, column ${col}: ${words}`);
  }
  const value: unknown = document.toJS();
  return value;
}

/** At a terminal, asks for the secrets that the job requires. */
async function askForSecrets(
  fields: readonly ArgumentField[],
  args: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  if (!isAtTerminal()) return args;
  for (const field of fields) {
    if (field.kind === 'secret' && field.isRequired && !isGiven(args, field.path))
      setArgument(args, field.path, await askSecret(`${field.path.join('.')}: `));
  }
  return args;
}

function isAtTerminal(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** The required arguments that are not given and have no error already. */
export function missingFields(
  fields: readonly ArgumentField[],
  args: JsonObject,
  errors: readonly WordError[],
): readonly ArgumentField[] {
  const isNamed = ([top]: readonly string[]): boolean => errors.some(({ path }) => path?.[0] === top);
  return fields.filter(
    // A nested argument may be part of its parent's default.
    ({ isRequired, defaultValue, path }) =>
      isRequired && defaultValue === undefined && path.length === 1 && !isGiven(args, path) && !isNamed(path),
  );
}

/** Says in the words of the command line that an argument is missing. */
export function toMissing(field: ArgumentField): WordError {
  return { path: field.path, message: `${flagOf(field)} is missing: ${waysToGive(field)}` };
}

function isGiven(args: unknown, path: readonly string[]): boolean {
  let at: unknown = args;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return false;
    at = Object.entries(at).find(([key]) => key === name)?.[1];
  }
  return true;
}
