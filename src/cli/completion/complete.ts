// `flwd __complete CURSOR WORDS…`, which the shells' scripts call at each Tab: prints the possible completions of the
// word at the cursor, one JSON object per line. It answers from the completion index at once, and refreshes the index
// in the background. It waits only if there is no index.

import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type Answer, answerTo } from './completion-answer.ts';
import { type Index, makeFolder, type Place, placeOf, readIndex, type Selection } from './completion-index.ts';

/** A person waits after pressing Tab, so after this time the command answers with what it knows. */
const waitMs = 1_500;
const againMs = 20;
const freshMs = 5_000;
/** Building an index may use at most one twentieth of one processor while someone completes. */
const restFactor = 20;
/** A process that has been building an index for longer than this must have died. */
const mostBuildMs = 60_000;

export async function run([cursor = '', ...words]: readonly string[]): Promise<ExitCode> {
  if (!/^\d{1,6}$/.test(cursor)) return exitCodes.wrongUse;
  // The word that is being typed does not select an instance yet, so it is left out.
  const selection = selectionOf(words.slice(0, Number(cursor)));
  const place = placeOf(selection);
  let index = place && readIndex(place);
  let { answer, lacks } = await answerFrom(index, words, Number(cursor));
  const untilMs = performance.now() + waitMs;
  // Without an index, the job on the command line becomes known only after the first refresh. A second refresh then
  // finds its arguments.
  for (let round = 0; round < 2 && (!index || lacks); round++) {
    if (!place) break;
    await startRefresh(place, selection, lacks);
    await untilRefreshed(place, untilMs);
    index = readIndex(place);
    ({ answer, lacks } = await answerFrom(index, words, Number(cursor)));
  }
  process.stdout.write(linesOf(answer));
  if (place && index && isStale(index, place)) await startRefresh(place, selection, answer.job);
  return exitCodes.done;
}

/** The options before the cursor that select an instance. */
function selectionOf(words: readonly string[]): Selection {
  const selection = new Map<string, string[]>();
  for (const [at, word] of words.entries()) {
    const [, name = '', inline] = /^--(remote|config|data-dir|jobs)(?:=(.*))?$/s.exec(word) ?? [];
    const value = inline ?? words[at + 1];
    if (name !== '' && value) selection.set(name, [...(selection.get(name) ?? []), value]);
  }
  return selection;
}

type Answered = {
  readonly answer: Answer;
  /** The job on the command line, if the index does not know its arguments yet. */
  readonly lacks: string | null;
};

async function answerFrom(index: Index | undefined, words: readonly string[], cursor: number): Promise<Answered> {
  let lacks: string | null = null;
  const answer = answerTo(words, cursor, {
    ...(index ?? (await tables())),
    jobs: index?.jobs ?? [],
    namesOf: (kind) => index?.names[kind] ?? [],
    fieldsOf(id) {
      const job = index?.jobs.find(([known]) => known === id);
      const fields = job && index?.fieldsOf(job);
      if (job && !fields) lacks = id;
      return fields ?? [];
    },
  });
  return { answer, lacks };
}

async function tables(): Promise<Pick<Index, 'commands' | 'leading'>> {
  const [{ commands }, { instance, printing }] = await Promise.all([import('../commands.ts'), import('../command.ts')]);
  return { commands, leading: [...instance, ...printing] };
}

function linesOf({ candidates, files }: Answer): string {
  const lines = candidates
    .filter(([value]) => value.isWellFormed() && !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(value))
    .map(([value, about]) => JSON.stringify({ value, about: plain(about) }));
  if (files) lines.push(JSON.stringify({ files }));
  return lines.map((line) => `${line}\n`).join('');
}

function plain(about: string): string {
  return about
    .slice(0, 120)
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .toWellFormed();
}

function isStale({ builtAtMs, tookMs, configMtimeMs }: Index, place: Place): boolean {
  const ageMs = Date.now() - builtAtMs;
  // If the clock was set back, the index may be from the future. It then counts as stale.
  return configMtimeMs !== place.configMtimeMs || ageMs < 0 || ageMs > Math.max(freshMs, restFactor * tookMs);
}

/** Starts a refresh, unless one is running. A file marks the one that is running. */
async function startRefresh(place: Place, selection: Selection, job: string | null): Promise<void> {
  const [, executable = ''] = process.argv;
  if (!claim(place)) return;
  const { spawn } = await import('node:child_process');
  const options = [...selection].flatMap(([name, values]) => values.map((value) => `--${name}=${value}`));
  const child = spawn(
    process.execPath,
    [...process.execArgv, executable, '__complete-refresh', job ?? '', ...options],
    { detached: true, stdio: 'ignore' },
  );
  child.on('error', () => rmSync(place.busyPath, { force: true }));
  child.unref();
}

function claim({ busyPath: file }: Place): boolean {
  try {
    makeFolder(file);
    const since = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (since !== undefined && Math.abs(Date.now() - since) > mostBuildMs) rmSync(file, { force: true });
    closeSync(openSync(file, 'wx', 0o600));
    return true;
  } catch {
    return false;
  }
}

async function untilRefreshed({ busyPath }: Place, untilMs: number): Promise<void> {
  while (performance.now() < untilMs && statSync(busyPath, { throwIfNoEntry: false })) await delay(againMs);
}
