// `flwd search TEXT`: prints the lines of all logs that contain a text, newest run first.

import type { AnswerOf, QueryOf } from '../../contract/operations.ts';
import { logLevels } from '../../domain/log-line.ts';
import { runStatuses } from '../../domain/run.ts';
import { defined } from '../../lib/defined.ts';
import { shellWord } from '../../lib/shell-word.ts';
import { sizeWords } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import { assertKnownJob } from '../job/find-job.ts';
import { jobsOf } from '../job/known-jobs.ts';
import { oneOperand, readChoice, readCount, readInstant, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { withSession } from '../session/session.ts';
import { onReaderGone } from '../session/stop-signal.ts';
import { createOutput, type Output, printable } from '../terminal/output.ts';
import { createStatusLine } from '../terminal/status-line.ts';

type Found = AnswerOf<'searchLogs'>;

const usualLines = 100;
const mostOfPage = 1_000;

export async function run(options: Options, operands: readonly string[]): Promise<void> {
  if (operands.length > 1)
    throw new Refusal(`put a text of several words in quotes: ${ownName} search ${shellWord(operands.join(' '))}`);
  const text = oneOperand(operands, `${ownName} search TEXT`);
  const output = createOutput(options);
  const query = { q: text, ...queryOf(options) };
  const wanted = readCount(options, 'limit') ?? usualLines;
  const leaving = new AbortController();
  const release = onReaderGone(() => leaving.abort());
  const status = createStatusLine(!output.isQuiet);
  return withSession(options, async (session) => {
    const { client } = session;
    let page: Found | undefined;
    let lines = 0;
    let bytes = 0;
    let segments = 0;
    try {
      do {
        const limit = Math.min(mostOfPage, wanted - lines);
        const cursor = page?.next_cursor;
        page = await client.call('searchLogs', { query: { ...query, limit, ...(cursor != null && { cursor }) } });
        lines += page.hits.length;
        bytes += page.searched.bytes;
        segments += page.searched.segments;
        const { hits, searched } = page;
        status.above(() => print(hits, output));
        if (page.next_cursor !== null)
          status.show(`searched ${sizeWords(bytes)}, back to ${output.time(searched.from)}`);
        if (searched.unreadable > 0)
          output.warn(
            `parts of logs that cannot be read: ${searched.unreadable}; ${ownName} logs shows which lines a run has lost`,
          );
      } while (page.next_cursor !== null && lines < wanted && !leaving.signal.aborted);
    } finally {
      status.close();
      release();
    }
    if (segments === 0) await assertKnownJob(jobsOf(session), query.job_id);
    if (page.next_cursor !== null && page.searched.from !== null)
      output.say(
        `${lines} ${lines === 1 ? 'line' : 'lines'}, from runs that ended since ${page.searched.from}; --limit shows more`,
      );
    else if (lines === 0) output.say(segments === 0 ? 'there are no logs to search' : `no line contains \`${text}\``);
  });
}

function queryOf(options: Options): QueryOf<'searchLogs'> {
  return defined({
    job_id: readValue(options, 'job'),
    status: readChoice(options, 'status', runStatuses),
    level: readChoice(options, 'level', logLevels),
    since: readInstant(options, 'since'),
    until: readInstant(options, 'until'),
    tenant: readValue(options, 'tenant'),
  });
}

function print(hits: Found['hits'], output: Output): void {
  for (const hit of hits) {
    if (output.isJson) {
      output.json(hit);
      continue;
    }
    const isBad = logLevels.indexOf(hit.level) >= logLevels.indexOf('error');
    const message = output.isForPeople ? printable(hit.message) : hit.message;
    const place = `${hit.run_id}  ${hit.job_id}  ${output.time(hit.timestamp)}`;
    output.text(`${output.paint('faint', place)}  ${isBad ? output.paint('bad', message) : message}\n`);
  }
}
