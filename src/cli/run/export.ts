// `flwd export RUN DEST`: saves everything that is known about a run in a folder, for a report or an archive.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiProblem } from '../../client/api-problem.ts';
import { errorCode } from '../../lib/error-code.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { fileTrouble } from '../file-trouble.ts';
import { ownName } from '../own-name.ts';
import { type Session, withSession } from '../session/session.ts';
import { untilInterrupted } from '../session/stop-signal.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { listArtifacts } from './artifacts.ts';
import { bytesOf, startDownload } from './download.ts';
import { findRunId } from './named-run.ts';
import { isThere, writeNewFile } from './new-file.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [word, folder, extra] = operands;
  if (word === undefined || folder === undefined || extra !== undefined)
    throw new Refusal(`${ownName} export needs a run and a new folder: ${ownName} export RUN DEST`);
  const output = createOutput(options);
  return untilInterrupted((signal) =>
    withSession(options, async (session) => {
      const runId = await findRunId(session, word, { output, orLastOf: true });
      await exportRun(session, runId, { folder, output, signal });
    }),
  );
}

type To = { readonly folder: string; readonly output: Output; readonly signal: AbortSignal };

async function exportRun(session: Session, runId: string, to: To): Promise<void> {
  const { client } = session;
  const { folder, output, signal } = to;
  const path = { run_id: runId };
  const run = await client.call('getRun', { path, signal });
  const { logs_expired: isExpired } = await client.call('getRunLogs', { path, query: { limit: 1 }, signal });
  await makeFolder(folder);
  try {
    const save = async (name: string, accept: string, id: 'getRunLogs' | 'getRunEvents'): Promise<void> => {
      const response = await client.request(id, { path, headers: { accept }, signal });
      await write(join(folder, name), bytesOf(response, { name, signal }));
    };
    await write(join(folder, 'run.json'), [`${JSON.stringify(run, null, 2)}\n`]);
    await save('events.ndjson', 'application/x-ndjson', 'getRunEvents');
    await save('log.txt', 'text/plain', 'getRunLogs');
    await save('log.ndjson', 'application/x-ndjson', 'getRunLogs');
    const artifacts = await saveArtifacts(session, runId, to);
    if (isExpired) output.warn('the log is missing: its retention has ended');
    if (output.isJson) output.json({ run_id: runId, folder, artifacts });
    else output.text(`${folder}\n`);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** @returns the names of the saved files */
async function saveArtifacts(session: Session, runId: string, { folder, output, signal }: To): Promise<string[]> {
  const { artifacts } = await listArtifacts(session, runId);
  const names: string[] = [];
  if (artifacts.length > 0) await mkdir(join(folder, 'artifacts'));
  for (const { id, name } of artifacts) {
    try {
      const { fileName, chunks } = await startDownload(session.client, id, signal);
      const isTaken = isThere(join(folder, 'artifacts', fileName));
      const saved = join('artifacts', isTaken ? `${id}-${fileName}` : fileName);
      await write(join(folder, saved), chunks);
      names.push(saved);
    } catch (error) {
      if (!(error instanceof ApiProblem && error.slug === 'artifact-gone')) throw error;
      output.warn(`the artifact ${name} no longer exists: ${error.message}`);
    }
  }
  return names;
}

async function makeFolder(folder: string): Promise<void> {
  // Only this user may read the output and the artifacts of the run.
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (errorCode(error) === 'EEXIST')
      throw new Refusal(`${folder} already exists: name a new folder`, exitCodes.refused);
    throw new Refusal(`cannot create ${folder}: ${fileTrouble(error)}`);
  });
}

function write(path: string, chunks: Parameters<typeof writeNewFile>[1]): Promise<void> {
  return writeNewFile(path, chunks, { mayReplace: false });
}
