// `flwd secrets`: stores and removes secrets, and lists their names, never their values.

import type { AnswerOf } from '../../contract/operations.ts';
import { takenWithout } from '../../domain/trigger/webhook.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { readGivenBytes } from '../given-file.ts';
import { oneOperand, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { everyPage } from '../session/pages.ts';
import { type Session, withSession } from '../session/session.ts';
import { abortOnStop } from '../session/stop-signal.ts';
import { confirmed } from '../terminal/confirm.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';
import { askSecret } from '../terminal/secret-prompt.ts';

type SecretList = AnswerOf<'listSecrets'>;
type Rotation = AnswerOf<'rotateSecrets'>;

/**
 * `flwd secrets set NAME`: stores a value that it reads from standard input or at a prompt. It takes no value from an
 * argument, because other users of the machine can read arguments.
 */
export async function set(options: Options, operands: readonly string[]): Promise<void> {
  const [name, extra] = operands;
  // An unexpected word may be the value, so it is not repeated.
  if (name === undefined || extra !== undefined)
    throw new Refusal(
      `${ownName} secrets set takes a NAME and reads the value from standard input: ${ownName} secrets set NAME < FILE`,
    );
  const output = createOutput(options);
  const value = process.stdin.isTTY
    ? await askTwice(name)
    : withoutLastNewline(toText(await readGivenBytes('-', 'the value')));
  const request = { path: { name }, query: ofTenant(options), body: { value } };
  // With this header the request is repeated if the server ends in the middle. Storing again does no harm.
  const headers = { 'idempotency-key': 'secret' };
  const stored = await withSession(options, ({ client }) => client.call('putSecret', { ...request, headers }), {
    mayCreate: true,
  });
  if (output.isJson) output.json(stored);
  else output.say(`stored ${stored.name} of tenant ${stored.tenant}`);
}

/** `flwd secrets list`: lists the stored secrets, and the secrets that jobs use but nobody has stored. */
export async function list(options: Options): Promise<void> {
  const output = createOutput(options);
  const found = await withSession(options, (session) => listSecrets(session, options));
  if (output.isJson) return output.json(found);
  if (found.secrets.length === 0) output.say('no secrets');
  else await printSecrets(found.secrets, output);
  for (const { name, used_by: jobIds } of found.missing ?? [])
    output.say(`${name} is not stored, but ${jobIds.join(', ')} ${jobIds.length === 1 ? 'uses' : 'use'} it`);
}

/**
 * `flwd secrets rm NAME`: removes a secret. Asks first if something uses the secret. Runs that already received it keep
 * their copy.
 */
export async function remove(options: Options, operands: readonly string[]): Promise<void> {
  const name = oneOperand(operands, `${ownName} secrets rm NAME; ${ownName} secrets list shows the names`);
  const output = createOutput(options);
  const tenant = readValue(options, 'tenant');
  const shown = `${name}${tenant === undefined ? '' : ` of tenant ${tenant}`}`;
  const { users, open } = await withSession(options, async (session) => {
    const { secrets } = await listSecrets(session, options);
    const removed = secrets.find((secret) => secret.name === name);
    const users = [...(removed?.used_by ?? []).map((id) => `config.yaml of ${id}`), ...(removed?.also_used_by ?? [])];
    const open = removed ? await webhooksWithout(removed, session) : [];
    if (users.length > 0) {
      const what = `remove ${shown}, which these use: ${users.join(', ')}`;
      await confirmed(`${what}?`, { options, instead: `add --yes to ${what}`, unchanged: 'nothing was removed' });
    }
    await session.client.request('deleteSecret', { path: { name }, query: ofTenant(options) });
    return { users, open };
  });
  output.say(`removed ${shown}`);
  if (users.length > 0) output.say(`until it is stored again, these lack it: ${users.join(', ')}`);
  for (const words of open) output.say(words);
}

/** Finds the webhooks that still accept deliveries without this secret, because they also name another secret. */
async function webhooksWithout(
  { name, tenant, used_by: usedBy }: SecretList['secrets'][number],
  { client }: Session,
): Promise<string[]> {
  // `used_by` is null if the caller may not read jobs.
  if (usedBy === null) return [];
  const { webhooks } = await client.call('listWebhooks', { query: { tenant } });
  return webhooks.flatMap(({ job_id: jobId, name: own, secrets, missing_secrets: missing, denied }) => {
    const isAbout = denied === null && secrets.includes(name);
    const taken = isAbout ? takenWithout([...missing, name], secrets) : undefined;
    return taken === undefined ? [] : [`webhook ${jobId}/${own} ${taken}`];
  });
}

/**
 * `flwd secrets rotate`: encrypts everything with a new key, and removes the old one. If it is interrupted, no data is
 * lost: the next call continues.
 */
export async function rotate(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const signal = abortOnStop();
  const whole = await withSession(options, ({ client }) => untilDone(() => client.call('rotateSecrets'), signal));
  if (output.isJson) output.json(whole);
  else output.text(rotationText(whole));
  return whole.done ? exitCodes.done : exitCodes.interrupted;
}

function ofTenant(options: Options) {
  return defined({ tenant: readValue(options, 'tenant') });
}

async function listSecrets({ client }: Session, options: Options): Promise<SecretList> {
  const query = { limit: 1_000, ...ofTenant(options) };
  const pages = await everyPage((from) => client.call('listSecrets', { query: { ...query, ...from } }));
  return { ...pages[0], secrets: pages.flatMap((page) => page.secrets), next_cursor: null };
}

async function printSecrets(secrets: SecretList['secrets'], output: Output): Promise<void> {
  await output.table(
    [flexible('NAME'), flexible('TENANT'), flexible('USED BY'), 'UPDATED', 'BY'],
    secrets.map(({ name, tenant, used_by: jobIds, also_used_by: others, ...secret }) => [
      name,
      tenant,
      jobIds === null ? '-' : usersOf(jobIds.length, others ?? []),
      output.time(secret.updated_at),
      secret.updated_by,
    ]),
  );
}

function usersOf(jobs: number, others: readonly string[]): string {
  const ofJobs = jobs === 0 ? [] : [jobs === 1 ? '1 job' : `${jobs} jobs`];
  return [...ofJobs, ...others].join(', ') || 'nothing';
}

/** Asks twice, because the prompt does not show what the user types, so a typo would go unnoticed. @throws Refusal */
async function askTwice(name: string): Promise<string> {
  const value = await askSecret(`${name}: `);
  if ((await askSecret(`${name}, again: `)) === value) return value;
  throw new Refusal('the two values differ; nothing was stored');
}

/** @throws Refusal */
function toText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal('the value is not UTF-8 text; store it as base64 and let the job decode it');
  }
}

/**
 * If the text is a single line, removes the newline that the Enter key or `echo` added. A file of several lines, such
 * as a key, stays as it is.
 */
function withoutLastNewline(given: string): string {
  return /^[^\n]*\n$/.test(given) ? given.replace(/\r?\n$/, '') : given;
}

/** Repeats calls of a few seconds each. Returns the last answer with the sum of all counts. */
async function untilDone(rotateSome: () => Promise<Rotation>, signal: AbortSignal): Promise<Rotation> {
  const resealed = { secrets: 0, runs: 0, steps: 0 };
  for (;;) {
    const found = await rotateSome();
    resealed.secrets += found.resealed.secrets;
    resealed.runs += found.resealed.runs;
    resealed.steps += found.resealed.steps;
    if (found.done || signal.aborted) return { ...found, resealed };
  }
}

function rotationText({ done, key_id: keyId, resealed, unopened, advice }: Rotation): string {
  const counts = `${resealed.secrets} stored secrets, ${resealed.runs} runs, ${resealed.steps} steps`;
  const lines = [`encrypted with the new key ${keyId}: ${counts}`];
  if (!done) lines.push(`not finished: run ${ownName} secrets rotate again; until then, keep the old key`);
  if (unopened > 0) lines.push(`${unopened} more cannot be decrypted by any key here and were not changed`);
  if (advice !== null) lines.push(advice);
  else if (done) lines.push('the old key was removed here; older backups still need it');
  return `${lines.join('\n')}\n`;
}
