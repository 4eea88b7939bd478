// `flwd artifacts`: lists the artifacts of a run, and saves one.

import { join } from 'node:path';
import { artifactNames } from '../../client/artifact-places.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { sizeWords } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { hint } from '../command-line.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { oneOperand, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { type Session, withSession } from '../session/session.ts';
import { untilInterrupted } from '../session/stop-signal.ts';
import { createOutput, flexible, type Output, right } from '../terminal/output.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import { type Download, startDownload, writeOut } from './download.ts';
import { findRunId } from './named-run.ts';
import { isFolder, writeNewFile } from './new-file.ts';
import { barOf } from './run-progress.ts';

type ArtifactList = AnswerOf<'listArtifacts'>;

const mostOfPage = 1_000;
const redrawMs = 200;

/** `flwd artifacts RUN` */
export async function list(options: Options, operands: readonly string[]): Promise<void> {
  const word = oneOperand(operands, `${ownName} artifacts RUN; ${ownName} runs lists the runs`);
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const runId = await findRunId(session, word, { output, orLastOf: true });
    const found = await listArtifacts(session, runId);
    // The API lists no artifacts for a run that does not exist; getRun reports that.
    if (found.artifacts.length === 0) await session.client.call('getRun', { path: { run_id: runId } });
    if (output.isJson) output.json(found);
    else if (found.artifacts.length === 0) output.say('no artifacts');
    else await printArtifacts(found, output);
  });
}

/** `flwd artifacts get RUN NAME`: saves an artifact to a file, or writes it to standard output. */
export async function get(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [, name] = operands;
  const lists = `${ownName} artifacts RUN lists the artifacts of a run`;
  const word = oneOperand(
    operands.slice(0, 1).concat(operands.slice(2)),
    `${ownName} artifacts get RUN NAME; ${lists}`,
  );
  if (name === undefined && !word.startsWith('artifact_'))
    throw new Refusal(`\`${word}\` is not the id of an artifact: write ${ownName} artifacts get RUN NAME; ${lists}`);
  const output = createOutput(options);
  const to = readValue(options, 'output') ?? '.';
  if (to === '-' && output.isJson) throw new Refusal('--json and --output - both need standard output: choose one');
  return untilInterrupted((signal) =>
    withSession(options, async (session) => {
      const { client } = session;
      const id = name === undefined ? word : await findArtifact(session, { word, name, output });
      const download = await startDownload(client, id, signal);
      const hide = showProgress(download, output);
      try {
        if (to === '-') return await writeOut(download);
        const path = isFolder(to) ? join(to, download.fileName) : to;
        await writeNewFile(path, download.chunks, { mayReplace: options.has('force') });
        hide();
        const { sizeBytes, sha256 } = download.received();
        if (output.isJson) output.json({ artifact_id: id, file: path, size_bytes: sizeBytes, sha256 });
        else output.text(`${path}\n`);
      } finally {
        hide();
      }
    }),
  );
}

/** @param word names the run, or a job, which stands for its last run */
async function findArtifact(
  session: Session,
  { word, name, output }: { readonly word: string; readonly name: string; readonly output: Output },
): Promise<string> {
  const runId = await findRunId(session, word, { output, orLastOf: true });
  await session.client.call('getRun', { path: { run_id: runId } });
  const { artifacts } = await listArtifacts(session, runId);
  const names = artifactNames(artifacts);
  const found = artifacts.find(({ id }) => names.get(id) === name);
  if (found) return found.id;
  const known = [...names.values()];
  const there = known.length === 0 ? '' : (hint(name, known) ?? `; ${session.command('artifacts', runId)} lists them`);
  const what = known.length === 0 ? 'no artifacts' : `no artifact \`${name}\``;
  throw new Refusal(`${runId} has ${what}${there}`, exitCodes.notFound);
}

export async function listArtifacts({ client }: Session, runId: string): Promise<ArtifactList> {
  const query = { run_id: runId, limit: mostOfPage };
  let page = await client.call('listArtifacts', { query });
  const artifacts = [...page.artifacts];
  while (page.next_cursor !== null) {
    page = await client.call('listArtifacts', { query: { ...query, cursor: page.next_cursor } });
    artifacts.push(...page.artifacts);
  }
  return { ...page, artifacts };
}

async function printArtifacts({ artifacts }: ArtifactList, output: Output): Promise<void> {
  const names = artifactNames(artifacts);
  await output.table(
    [flexible('NAME'), right('SIZE'), flexible('TYPE'), 'CREATED', 'ID'],
    artifacts.map((artifact) => [
      names.get(artifact.id) ?? artifact.name,
      sizeWords(artifact.size_bytes),
      artifact.media_type,
      output.time(artifact.created_at),
      artifact.id,
    ]),
  );
}

/** Downloads that end within 200 ms show nothing. */
function showProgress({ fileName, expectedBytes, received }: Download, output: Output): () => void {
  const status = createStatusLine(!output.isQuiet);
  const redraw = setInterval(() => {
    const { sizeBytes } = received();
    const all = expectedBytes === null ? '' : ` of ${sizeWords(expectedBytes)}`;
    const percent = expectedBytes ? (sizeBytes / expectedBytes) * 100 : undefined;
    const bar = percent === undefined ? '' : barOf({ percent, message: '' });
    status.show(`${fileName}  ${sizeWords(sizeBytes)}${all}${bar}`);
  }, redrawMs);
  return () => {
    clearInterval(redraw);
    status.close();
  };
}
