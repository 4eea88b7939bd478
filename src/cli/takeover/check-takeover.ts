// Checks, for `flwd doctor`, that exactly one of cron and flwd starts each job that was imported from a crontab.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type Complaint, complain, type HostCheck } from '../../domain/host-check.ts';
import { ownUserName } from '../../lib/files/own-user.ts';
import { Refusal } from '../exit-code.ts';
import { placeOfUser, systemFolder, systemTable } from '../import/import-crontab.ts';
import { type ImportRecord, readRecords } from '../import/record.ts';
import { withoutSecrets } from '../import/secret-text.ts';
import { ownName } from '../own-name.ts';
import { openTable, takenLines } from './cron-table.ts';
import { type ImportedLine, placeOf, readImported } from './imported-lines.ts';
import { unservedFolders } from './same-sources.ts';
import { takenJobs } from './unfinished.ts';

/** What the running server says. */
type Served = {
  readonly sources: AnswerOf<'listSources'>['sources'];
  readonly schedules: AnswerOf<'listSchedules'>['schedules'];
};

/** @param served undefined if no server is running; another check then says that nothing starts jobs */
export async function checkTakeover(config: Config, served: Served | undefined): Promise<HostCheck[]> {
  const sources = served?.sources ?? config.sources;
  const records = sources
    .flatMap(({ path }) => (path === undefined ? [] : readRecords(path)))
    .flatMap(({ record }) => (record.kind === 'crontab' ? [record] : []));
  const forgotten = linesWithoutJob(records, config.instance.dataDir);
  if (!served || unservedFolders(served.sources, config).length > 0) return complain('takeover', forgotten);
  const { tables } = await readImported(config);
  const wrong = tables.flatMap(({ imported }) => imported.flatMap((line) => startsWrong(line, served)));
  return complain('takeover', [...forgotten, ...wrong]);
}

/** Lines that a takeover of this instance has commented out, and that no job of the sources replaces. */
function linesWithoutJob(records: readonly ImportRecord[], dataDir: string): Complaint[] {
  const own = takenJobs(dataDir);
  if (own.length === 0) return [];
  const places = new Set([...knownPlaces(), ...records.map(({ place }) => place)]);
  return [...places].flatMap((place) => {
    const texts = new Set(records.filter((record) => record.place === place).map(({ text }) => text));
    return takenIn(place)
      .filter(({ jobId, text }) => own.includes(jobId) && !texts.has(withoutSecrets(text.trim())))
      .map(({ line, jobId }) => ({
        what: `nothing runs ${place}, line ${line}: flwd commented it out when it took over ${jobId}, and no source has that job`,
        fix: `start the server with the folder of these jobs; or give the lines back: ${ownName} takeover --undo in that folder, or remove #flwd:…# from the lines`,
      }));
  });
}

function knownPlaces(): string[] {
  const names = existsSync(systemFolder) ? readdirSync(systemFolder) : [];
  return [placeOfUser(ownUserName()), systemTable, ...names.map((name) => join(systemFolder, name))];
}

/** Returns no lines if the crontab cannot be read. */
function takenIn(place: string): ReturnType<typeof takenLines> {
  try {
    const table = openTable(place);
    return table ? takenLines(table.read()) : [];
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

/** Complains if cron and flwd both start the job of the line, or neither does. */
function startsWrong(line: ImportedLine, { schedules }: Served): Complaint[] {
  const { kind, jobId } = line;
  const ofJob = schedules.filter(({ job_id: id }) => id === jobId);
  const own = ofJob.filter(({ source }) => source === 'job');
  if (kind === 'taken' && ofJob.length === 0)
    return [
      {
        what: `nothing runs ${placeOf(line)}: flwd took it over, but ${jobId ?? 'its job'} is broken or has no schedule`,
        fix: `correct its config.yaml (${ownName} jobs validate DIR names errors), or ${ownName} takeover --undo`,
      },
    ];
  const [held] = own.filter((one) => one.held);
  if (kind === 'taken' && held)
    return [
      {
        what: `nothing runs ${placeOf(line)}: flwd took it over, but holds the schedule of ${jobId}`,
        fix: `${ownName} schedules release ${held.id}, or ${ownName} takeover --undo`,
      },
    ];
  const [firing] = own.filter((one) => one.enabled && !one.held && !one.paused && !one.denied);
  if (kind === 'active' && firing)
    return [
      {
        what: `cron and flwd both start ${jobId}: ${placeOf(line)} is still in force`,
        fix: `${ownName} takeover, or ${ownName} schedules hold ${firing.id}`,
      },
    ];
  return [];
}
