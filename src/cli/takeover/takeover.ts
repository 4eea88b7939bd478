// `flwd takeover`: flwd instead of cron starts the jobs that were imported from a crontab. Their lines become comments,
// and only then are their schedules released; `--undo` holds them first. At no step may both start a job (ADR 0048).

import { join } from 'node:path';
import { takeoverFolder } from '../../instance/takeover-folder.ts';
import { exclusively } from '../../lib/files/exclusively.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertOfThisMachine, type Session, withSession } from '../session/session.ts';
import { confirm } from '../terminal/confirm.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { bringBack, changeTable, commentOut } from './cron-table.ts';
import { type ImportedLine, type ReadTable, readImported } from './imported-lines.ts';
import { holdAll, type Prepared, prepare, releaseAll } from './prepared.ts';
import { waitForQuiet } from './quiet-moment.ts';
import { printPlan } from './takeover-report.ts';
import { beginTakeover, finishTakeover, keepCopy, makeTakeoverFolder, unfinishedJobs } from './unfinished.ts';

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
      const { tables, unread } = await readImported(config);
      if (isUndo) return undo(tables, { session, options, output, dataDir });
      const lines = [...tables.flatMap(({ imported }) => imported), ...unread];
      const prepared = await prepare(lines, session.client, unfinishedJobs(dataDir));
      printPlan(prepared, output);
      if (options.has('dry-run')) return exitCodes.done;
      return takeOver(tables, prepared, { session, options, output, dataDir });
    },
    { isTakeover: true },
  );
}

type Work = {
  readonly session: Session;
  readonly options: Options;
  readonly output: Output;
  readonly dataDir: string;
};

async function takeOver(tables: readonly ReadTable[], prepared: readonly Prepared[], o: Work): Promise<ExitCode> {
  const ready = prepared.filter(({ step }) => step === 'take-over' || step === 'release');
  if (ready.length === 0) {
    finishTakeover(o.dataDir);
    o.output.say('There is nothing to take over.');
    return exitCodes.done;
  }
  if (o.session.isEphemeral())
    throw new Refusal(
      `no server is running on ${o.session.where}, so nothing would start these jobs: run ${o.session.command('serve')} first`,
      exitCodes.unreachable,
    );
  await confirmed(
    `Comment out ${counted(ready.length)} and release ${ready.length === 1 ? 'its schedule' : 'their schedules'}?`,
    o.options,
  );
  return alone(o.dataDir, async () => {
    beginTakeover(
      o.dataDir,
      ready.flatMap(({ line: { jobId } }) => jobId ?? []),
    );
    await holdAll(ready, o.session.client);
    const ofTable = ({ imported }: ReadTable) => ready.filter(({ line }) => imported.includes(line));
    for (const read of tables) {
      const taken = ofTable(read);
      const active = taken.flatMap(({ line }) =>
        line.kind === 'active' ? line.lines.map((number) => [number, line.jobId ?? ''] as const) : [],
      );
      if (active.length > 0) {
        await waitForQuiet(
          taken.map(({ line }) => line),
          o.output,
        );
        change(read, commentOut(read.text, new Map(active)), o);
      }
      await releaseAll(taken, o.session.client);
      for (const { line } of taken) o.output.say(`flwd starts ${line.jobId} from now on`);
    }
    finishTakeover(o.dataDir);
    o.output.say(`To give the lines back to cron: ${o.session.command('takeover', '--undo')}`);
  });
}

async function undo(tables: readonly ReadTable[], o: Work): Promise<ExitCode> {
  const back = tables.filter(({ imported }) => imported.some(isTaken));
  const lines = back.flatMap(({ imported }) => imported.filter(isTaken));
  if (lines.length === 0) {
    finishTakeover(o.dataDir);
    o.output.say('cron has all imported lines already.');
    return exitCodes.done;
  }
  await confirmed(
    `Hold ${lines.length === 1 ? 'its schedule' : 'their schedules'} and give ${counted(lines.length)} back to cron?`,
    o.options,
  );
  return alone(o.dataDir, async () => {
    beginTakeover(
      o.dataDir,
      lines.flatMap(({ jobId }) => jobId ?? []),
    );
    await holdAll(
      lines.map((line) => ({ line })),
      o.session.client,
    );
    for (const read of back) {
      const taken = read.imported.filter(isTaken);
      await waitForQuiet(taken, o.output);
      change(read, bringBack(read.text, new Set(taken.flatMap(({ jobId }) => jobId ?? []))), o);
      for (const { jobId } of taken) o.output.say(`cron starts ${jobId} from now on`);
    }
    finishTakeover(o.dataDir);
  });
}

function isTaken({ kind }: ImportedLine): boolean {
  return kind === 'taken';
}

/** Only one takeover at a time changes crontabs. */
async function alone(dataDir: string, work: () => Promise<void>): Promise<ExitCode> {
  makeTakeoverFolder(dataDir);
  const done = await exclusively(join(takeoverFolder(dataDir), 'lock'), longestLockMs, async () => {
    await work();
    return exitCodes.done;
  });
  if (done === undefined)
    throw new Refusal('another takeover is under way: wait until it has ended', exitCodes.refused);
  return done;
}

function change({ table, text }: ReadTable, after: Buffer, { dataDir, output }: Work): void {
  output.say(`kept ${table.place} as ${keepCopy(dataDir, table.place, text)}`);
  changeTable(table, text, after);
}

async function confirmed(question: string, options: Options): Promise<void> {
  if (options.has('yes')) return;
  if (!process.stdin.isTTY)
    throw new Refusal('nobody can be asked here: add --yes to change the crontab, or --dry-run to look');
  if (!(await confirm(question))) throw new Refusal('nothing was changed', exitCodes.interrupted);
}

function counted(lines: number): string {
  return lines === 1 ? '1 line' : `${lines} lines`;
}
