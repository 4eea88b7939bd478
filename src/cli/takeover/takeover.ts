// `flwd takeover`: flwd takes over from cron the jobs that were imported from a crontab. First their lines become
// comments, then their schedules are released. `--undo` first holds the schedules. At every moment, at most one of cron
// and flwd starts a job (ADR 0048).

import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { takeoverFolder } from '../../instance/takeover-folder.ts';
import { exclusively } from '../../lib/files/exclusively.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertOfThisMachine, type Session, withSession } from '../session/session.ts';
import { confirmed } from '../terminal/confirm.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { changeTable, commentOut, takenLines, uncomment } from './cron-table.ts';
import { type ReadTable, readImported } from './imported-lines.ts';
import { holdAll, type Prepared, prepare, releaseAll } from './prepared.ts';
import { waitForQuiet } from './quiet-moment.ts';
import { unservedFolders } from './same-sources.ts';
import { printPlan } from './takeover-report.ts';
import {
  beginTakeover,
  finishTakeover,
  keepCopy,
  makeTakeoverFolder,
  rememberTaken,
  unfinishedJobs,
} from './unfinished.ts';

const longestLockMs = 2_000;

export async function run(options: Options): Promise<ExitCode> {
  assertOfThisMachine('takeover', options);
  const isUndo = options.has('undo');
  if (isUndo && options.has('dry-run')) throw new Refusal('--undo and --dry-run cannot be combined');
  const { config } = loadConfiguration(options);
  const { dataDir } = config.instance;
  const output = createOutput(options);
  return withSession(
    options,
    async (session) => {
      await assertServed(config, session);
      const { tables, unread } = await readImported(config);
      if (isUndo) return undo(tables, { session, options, output, dataDir });
      const lines = [...tables.flatMap(({ imported }) => imported), ...unread];
      const prepared = await prepare(lines, session, unfinishedJobs(dataDir));
      printPlan(prepared, output);

      if (options.has('dry-run')) {
        if (session.isEphemeral() && prepared.some(isReady))
          output.warn(`Before the takeover, start a server: run ${session.command('serve')}`);
        return exitCodes.done;
      }
      return takeOver(tables, prepared, { session, options, output, dataDir });
    },
    { isTakeover: true },
  );
}

/**
 * The server may have been started in another folder. It then does not have the jobs of this one, but perhaps others
 * with the same ids. @throws Refusal
 */
async function assertServed(config: Config, { client, where }: Session): Promise<void> {
  const { sources } = await client.call('listSources');
  const unserved = unservedFolders(sources, config);
  if (unserved.length === 0) return;
  const known = sources.flatMap(({ path }) => path ?? []).join(', ') || 'no folder';
  const what = `the server of ${where} has the jobs of ${known}, and not those of ${unserved.join(', ')}`;
  const fix =
    'restart it in this folder, or set another `instance.data_dir` in the flwd.yaml of this folder for a second server';
  throw new Refusal(`${what}: ${fix}`, exitCodes.refused);
}

type Work = {
  readonly session: Session;
  readonly options: Options;
  readonly output: Output;
  readonly dataDir: string;
};

async function takeOver(tables: readonly ReadTable[], prepared: readonly Prepared[], o: Work): Promise<ExitCode> {
  const { session, output, dataDir } = o;
  const ready = prepared.filter(isReady);
  const stuck = unfinishedJobs(dataDir).filter(
    (id) => !prepared.some((one) => one.line.jobId === id && isSettled(one)),
  );
  if (ready.length === 0) {
    finishTakeover(dataDir, stuck);
    output.say('There is nothing to take over.');
    return exitCodes.done;
  }
  if (session.isEphemeral()) {
    const what = `no server is running on ${session.where}, so nothing would start these jobs`;
    throw new Refusal(`${what}: run ${session.command('serve')} first`, exitCodes.unreachable);
  }
  const them = ready.length === 1 ? 'its schedule' : 'their schedules';
  await agreed(`Comment out ${counted(ready.length)} and release ${them}?`, o.options);
  const jobIds = ready.flatMap(({ line: { jobId } }) => jobId ?? []);
  return asOnlyTakeover([...jobIds, ...stuck], o, async () => {
    await holdAll(jobIds, session.client);
    for (const read of tables) {
      const taken = ready.filter(({ line }) => read.imported.includes(line));
      await commentOutLines(read, taken, o);
      await releaseAll(taken, session.client);
      for (const { line } of taken) output.say(`flwd starts ${line.jobId} from now on`);
    }
    finishTakeover(
      dataDir,
      stuck.filter((id) => !jobIds.includes(id)),
    );
    output.say('Remove `held: true` from a config.yaml before you change its times: a changed schedule is a new one.');
    output.say(`To give the lines back to cron: ${session.command('takeover', '--undo')}`);
  });
}

function isReady({ step }: Prepared): boolean {
  return step === 'take-over' || step === 'release';
}

async function commentOutLines(read: ReadTable, taken: readonly Prepared[], o: Work): Promise<void> {
  const active = taken.flatMap(({ line }) =>
    line.kind === 'active' ? line.lines.map((number) => [number, line.jobId ?? ''] as const) : [],
  );
  // This waits even if an interrupted takeover has already commented the lines out: in the minute after the release,
  // flwd starts no job.
  await waitForQuiet(
    taken.map(({ line }) => line),
    o.output,
  );
  if (active.length === 0) return;
  rememberTaken(
    o.dataDir,
    active.map(([, jobId]) => jobId),
  );
  change(read, commentOut(read.text, new Map(active)), o);
}

/**
 * True if the takeover has nothing left to do for the line: cron or flwd starts the job, or somebody holds it on
 * purpose.
 */
function isSettled({ step, line }: Prepared): boolean {
  return step === 'taken' || line.kind === 'active';
}

async function undo(tables: readonly ReadTable[], o: Work): Promise<ExitCode> {
  const { session, output, dataDir } = o;
  const back = tables.map((read) => {
    const taken = read.imported.filter((line) => line.kind === 'taken');
    return { read, taken, lines: new Set(taken.flatMap(({ lines }) => lines)) };
  });
  for (const { read, lines } of back)
    for (const { line, jobId } of takenLines(read.text))
      if (!lines.has(line))
        output.warn(`${read.table.place}, line ${line} stays a comment: its job, ${jobId}, is not here`);
  const count = back.reduce((sum, { lines }) => sum + lines.size, 0);
  if (count === 0) {
    finishTakeover(dataDir, []);
    output.say('cron has all imported lines already.');
    return exitCodes.done;
  }
  const them = count === 1 ? 'its schedule' : 'their schedules';
  await agreed(`Hold ${them} and give ${counted(count)} back to cron?`, o.options);
  const jobIds = back.flatMap(({ taken }) => taken.flatMap(({ jobId }) => jobId ?? []));
  return asOnlyTakeover(jobIds, o, async () => {
    for (const { read, taken, lines } of back) {
      if (lines.size === 0) continue;
      await waitForQuiet(taken, output);
      await holdAll(
        taken.flatMap(({ jobId }) => jobId ?? []),
        session.client,
      );
      change(read, uncomment(read.text, lines), o);
      for (const { jobId } of taken) output.say(`cron starts ${jobId} from now on`);
    }
    finishTakeover(dataDir, []);
  });
}

/**
 * Runs `work` while no other takeover can change crontabs.
 * @param jobIds the jobs that neither cron nor flwd may start until `work` is done
 */
async function asOnlyTakeover(
  jobIds: readonly string[],
  { dataDir, session, output }: Work,
  work: () => Promise<void>,
): Promise<ExitCode> {
  makeTakeoverFolder(dataDir);
  const done = await exclusively(join(takeoverFolder(dataDir), 'lock'), { waitMs: longestLockMs }, async () => {
    beginTakeover(dataDir, jobIds);
    try {
      await work();
      return exitCodes.done;
    } catch (error) {
      const [again, undone] = [session.command('takeover'), session.command('takeover', '--undo')];
      output.warn(`The takeover is not finished, and its jobs are held: run ${again} again, or ${undone}.`);
      throw error;
    }
  });
  if (done === undefined)
    throw new Refusal('another takeover is under way: wait until it has ended', exitCodes.refused);
  return done;
}

function change({ table, text }: ReadTable, after: Buffer, { dataDir, output }: Work): void {
  output.say(`kept ${table.place} as ${keepCopy(dataDir, table.place, text)}`);
  changeTable(table, text, after);
}

function agreed(question: string, options: Options): Promise<void> {
  const instead = 'add --yes to change the crontab, or --dry-run to look';
  return confirmed(question, { options, instead, unchanged: 'nothing was changed' });
}

function counted(lines: number): string {
  return lines === 1 ? '1 line' : `${lines} lines`;
}
