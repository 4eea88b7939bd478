// `flwd __complete-refresh JOB [OPTIONS]`, started by `__complete`: rebuilds the completion index of an instance. Asks
// the running server, or else reads the sources and the database. It neither creates an instance nor takes its data
// dir.

import { readdirSync, rmSync, statSync } from 'node:fs';
import { setPriority } from 'node:os';
import { dirname, join } from 'node:path';
import type { AnswerOf } from '../../contract/operations.ts';
import { type ArgumentField, argumentFields, showValue } from '../../domain/argument-fields.ts';
import type { Frozen } from '../../lib/frozen.ts';
import { instance, printing } from '../command.ts';
import { commands } from '../commands.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { openServedSession, type Session } from '../session/session.ts';
import {
  type Index,
  type Knowledge,
  type KnownField,
  type Named,
  type Place,
  placeOf,
  readIndex,
  type Selection,
  writeIndex,
} from './completion-index.ts';

const mostRuns = 50;
/**
 * A server must be asked for each job's arguments separately. One refresh asks for the arguments of at most this many
 * jobs.
 */
const mostAsked = 50;
const unusedForMs = 30 * 24 * 3_600_000;
/** How long a refresh may take. `__complete` considers a refresh dead only after a longer time. */
const withinMs = 50_000;

type Found = Pick<Knowledge, 'jobs' | 'names'>;
type JobSummaries = Frozen<AnswerOf<'listJobs'>>['jobs'];

export async function run([wanted = '', ...options]: readonly string[]): Promise<ExitCode> {
  const selection = selectionOf(options);
  const place = placeOf(selection);
  if (!place) return exitCodes.done;
  setTimeout(() => giveUp(place), withinMs).unref();
  const startedMs = performance.now();
  const earlier = readIndex(place);
  // If nobody is waiting, let other processes go first.
  if (earlier && wanted === '') setPriority(10);
  try {
    const found = await find(selection, earlier, wanted).catch(() => undefined);
    // If nothing can be read, the old entries are written again. Without an index, every Tab would wait for another
    // attempt.
    const known = found ?? asBefore(earlier);
    const builtAtMs = Date.now();
    // An index that was built quickly counts as stale sooner. If nothing was found, for example because the server was
    // too busy to answer, `tookMs` is 0, so that a Tab soon asks again.
    const tookMs = found ? Math.round(performance.now() - startedMs) : 0;
    writeIndex(place, { commands, leading: [...instance, ...printing], ...known }, { builtAtMs, tookMs });
    removeUnused(dirname(place.path), builtAtMs);
  } finally {
    rmSync(place.busyPath, { force: true });
  }
  return exitCodes.done;
}

function giveUp({ busyPath }: Place): never {
  rmSync(busyPath, { force: true });
  process.exit(exitCodes.refused);
}

function selectionOf(words: readonly string[]): Selection {
  const selection = new Map<string, string[]>();
  for (const word of words) {
    const [, name = '', value = ''] = /^--([a-z-]+)=(.*)$/s.exec(word) ?? [];
    selection.set(name, [...(selection.get(name) ?? []), value]);
  }
  return selection;
}

async function find(selection: Selection, earlier: Index | undefined, wanted: string): Promise<Found> {
  const session = await openServedSession(selection);
  if (!session) return findHere(selection);
  try {
    return await findServed(session, selection, earlier, wanted);
  } finally {
    await session.close();
  }
}

async function findHere(selection: Selection): Promise<Found> {
  const { config } = loadConfiguration(selection);
  const [{ readNames }, { readJobs }] = await Promise.all([import('../../operator.ts'), import('../../sources.ts')]);
  const names = await readNames(config, mostRuns);
  return readJobs(config, async ({ list, argspec }) => {
    const { jobs } = list({});
    const fields = new Map(jobs.map(({ id }) => [id, toFields(argspec(id))]));
    const known = toJobs(jobs, (id) => fields.get(id));
    return { jobs: known, names: { ...names, ...namesOfJobs(jobs), remotes: remotesOf(selection) } };
  });
}

async function findServed(
  { client }: Session,
  selection: Selection,
  earlier: Index | undefined,
  wanted: string,
): Promise<Found> {
  const [{ jobs }, { runs }, { schedules }, { backfills }, { tokens }, { secrets }] = await Promise.all([
    client.call('listJobs', { query: {} }),
    // The token may lack the scopes for some of the following lists.
    client.call('listRuns', { query: { limit: mostRuns } }).catch(() => ({ runs: [] })),
    client.call('listSchedules', { query: {} }).catch(() => ({ schedules: [] })),
    client.call('listBackfills', { query: {} }).catch(() => ({ backfills: [] })),
    client.call('listTokens', { query: {} }).catch(() => ({ tokens: [] })),
    client.call('listSecrets', { query: {} }).catch(() => ({ secrets: [] })),
  ]);
  const fields = new Map<string, readonly KnownField[]>();
  for (const job of earlier?.jobs ?? []) {
    const known = earlier?.fieldsOf(job);
    if (known) fields.set(job[0], known);
  }
  const isWanted = (job: JobSummaries[number]): boolean => job.id === wanted || job.aliases.includes(wanted);
  const unknown = jobs.filter((job) => isWanted(job) || !fields.has(job.id));
  const asked = unknown.toSorted((a, b) => Number(isWanted(b)) - Number(isWanted(a))).slice(0, mostAsked);
  await Promise.all(
    asked.map(async ({ id }) => {
      const job = await client.call('getJob', { path: { job_id: id } }).catch(() => undefined);
      fields.set(id, job ? toFields(job.args) : []);
    }),
  );
  return {
    jobs: toJobs(jobs, (id) => fields.get(id)),
    names: {
      ...namesOfJobs(jobs),
      runs: runs.map((run): Named => [run.run_id, `${run.status}  ${run.job_id}`]),
      schedules: schedules.map((schedule): Named => [schedule.id, schedule.job_id]),
      // Only backfills that have not ended can be cancelled.
      backfills: backfills
        .filter((backfill) => backfill.finished_at === null)
        .map((backfill): Named => [backfill.id, backfill.job_id]),
      tokens: tokens.map((token): Named => [token.id, token.name]),
      secrets: secrets.map((secret): Named => [secret.name, secret.tenant]),
      remotes: remotesOf(selection),
    },
  };
}

function toJobs(jobs: JobSummaries, fieldsOf: (id: string) => readonly KnownField[] | undefined): Knowledge['jobs'] {
  const known = jobs.flatMap(({ id, aliases, title, description }) => {
    const about = shorten(title ?? description);
    const fields = fieldsOf(id);
    return [{ id, about, fields }, ...aliases.map((alias) => ({ id: alias, about: `${id}  ${about}`, fields }))];
  });
  return known.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function namesOfJobs(jobs: JobSummaries): Pick<Found['names'], 'sources' | 'tags'> {
  return { sources: unique(jobs.map(({ source }) => source)), tags: unique(jobs.flatMap(({ tags }) => tags)) };
}

function unique(texts: readonly string[]): Named[] {
  return [...new Set(texts)].toSorted().map((text) => [text, '']);
}

function remotesOf(selection: Selection): Named[] {
  try {
    const { remotes } = loadConfiguration(selection).config;
    return Object.entries(remotes).map(([name, { baseUrl }]) => [name, baseUrl]);
  } catch {
    // The command itself reports what is wrong with the configuration.
    return [];
  }
}

function toFields(argspec: Parameters<typeof argumentFields>[0]): KnownField[] {
  return argumentFields(argspec).map(toField);
}

function toField(field: ArgumentField): KnownField {
  const { path, kind, itemKind, choices, title, description, isRequired, constraints } = field;
  const shown = itemKind ?? kind;
  const about = shorten(title ?? description);
  return {
    name: path.join('.'),
    kind:
      kind === 'boolean' ? 'switch' : kind === 'secret' ? 'secret' : constraints.includes('path') ? 'path' : 'value',
    choices: shown === 'boolean' ? ['true', 'false'] : choices.map(showValue),
    isList: kind === 'list',
    about: isRequired ? `${about} (required)`.trim() : about,
  };
}

function shorten(text: string | null): string {
  return (text ?? '').split('\n', 1)[0]?.slice(0, 80) ?? '';
}

function asBefore(earlier: Index | undefined): Found {
  const none = { runs: [], schedules: [], backfills: [], tokens: [], secrets: [], remotes: [], sources: [], tags: [] };
  const jobs = earlier?.jobs.map((job) => ({ id: job[0], about: job[1], fields: earlier.fieldsOf(job) ?? [] }));
  return { jobs: jobs ?? [], names: earlier?.names ?? none };
}

/** Removes the indexes that were last refreshed a long time ago. */
function removeUnused(folder: string, nowMs: number): void {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith('completion-')) continue;
    const path = join(folder, name);
    const modifiedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? nowMs;
    if (nowMs - modifiedAtMs > unusedForMs) rmSync(path, { force: true });
  }
}
