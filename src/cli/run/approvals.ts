// `flwd approvals`: lists the steps that wait for an approval, across all runs.

import { awayWords } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { readCount } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const output = createOutput(options);
  if (operands.length > 0) throw new Refusal('flwd approvals takes no words: it lists what waits for an approval');
  const [job] = options.get('job') ?? [];
  const [tenant] = options.get('tenant') ?? [];
  const query = {
    state: options.has('answered') ? ('answered' as const) : ('waiting' as const),
    ...(job !== undefined && { job_id: job }),
    ...(tenant !== undefined && { tenant }),
    limit: readCount(options, 'limit') ?? 20,
  };
  return withSession(options, async (session) => {
    const list = await session.client.call('listApprovals', { query });
    if (output.isJson) {
      output.json(list);
      return exitCodes.done;
    }
    const { approvals, total, total_exact: isExact } = list;
    if (approvals.length === 0) {
      output.say(query.state === 'waiting' ? 'nothing waits for an approval' : 'no approvals');
      return exitCodes.done;
    }
    const nowMs = systemClock.now();
    await output.table(
      [
        { name: 'RUN' },
        { name: 'STEP' },
        { name: 'JOB', isFlexible: true as const },
        { name: 'QUESTION', isFlexible: true as const },
        { name: query.state === 'waiting' ? 'WAITING SINCE' : 'ENDED' },
        { name: query.state === 'waiting' ? 'WHO MAY ANSWER' : 'ANSWER', isFlexible: true as const },
      ],
      approvals.map(({ answer, finished_at: finishedAt, ...asked }) => [
        asked.run_id,
        asked.step_id,
        asked.job_id,
        asked.question ?? '',
        finishedAt === null ? awayWords(Date.parse(asked.since) - nowMs) : output.time(finishedAt),
        finishedAt === null ? whoMayAnswer(asked) : answerWords(answer),
      ]),
    );
    if (total > approvals.length)
      output.say(`showing ${approvals.length} of ${isExact ? '' : 'at least '}${total}; --limit shows more`);
    return exitCodes.done;
  });
}

function whoMayAnswer({
  by,
  not_by_starter: notByStarter,
  created_by: starter,
}: Pick<AnswerOf<'listApprovals'>['approvals'][number], 'by' | 'not_by_starter' | 'created_by'>): string {
  const all = by?.join(', ') ?? 'anyone with runs:approve';
  return notByStarter && (by?.includes(starter) ?? true) ? `${all} except ${starter}` : all;
}

function answerWords(
  answer: { readonly decision: 'approve' | 'deny'; readonly by: string; readonly comment: string | null } | null,
): string {
  if (!answer) return 'nobody answered';
  const comment = answer.comment === null ? '' : `: ${answer.comment}`;
  return `${answer.decision === 'approve' ? 'approved' : 'denied'} by ${answer.by}${comment}`;
}
