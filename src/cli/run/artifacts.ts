// `flwd artifacts RUN`: lists the artifacts of a run.

import type { AnswerOf } from '../../contract/operations.ts';
import { formatSize } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { findRunId } from './named-run.ts';

type ArtifactList = AnswerOf<'listArtifacts'>;

const mostOfPage = 1_000;

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const word = oneOperand(operands, 'flwd artifacts RUN; flwd runs lists the runs');
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const runId = await findRunId(session, word, { output, orLastOf: true });
    const list = await listArtifacts(session, runId);
    // The API lists no artifacts for a run that does not exist; getRun reports that.
    if (list.artifacts.length === 0) await session.client.call('getRun', { path: { run_id: runId } });
    if (output.isJson) output.json(list);
    else await printArtifacts(list, output);
    return exitCodes.done;
  });
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
  if (artifacts.length === 0) {
    output.say('no artifacts');
    return;
  }
  const columns = [
    { name: 'NAME', isFlexible: true as const },
    { name: 'SIZE', isRight: true as const },
    { name: 'TYPE', isFlexible: true as const },
    { name: 'CREATED' },
    { name: 'ID' },
  ];
  await output.table(
    columns,
    artifacts.map((artifact) => [
      artifact.name,
      formatSize(artifact.size_bytes),
      artifact.media_type,
      output.time(artifact.created_at),
      artifact.id,
    ]),
  );
}
