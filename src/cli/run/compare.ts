// `flwd compare`: shows how two runs differ, the older one first.

import { ApiProblem } from '../../client/api-problem.ts';
import type { Client } from '../../client/client.ts';
import { fileDiff } from '../../client/file-diff.ts';
import { type Change, changesOf, readJobFile } from '../../client/job-changes.ts';
import { lastSuccessBefore } from '../../client/last-success.ts';
import { findLogDifference, type LogDifference } from '../../client/log-difference.ts';
import { comparedArguments, comparedFacts, comparedSteps, differs, haveSecrets } from '../../client/run-differences.ts';
import { tookMs, tookWords, workMs } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { stepLabel } from '../../domain/outcome/step-label.ts';
import type { Options } from '../command.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { ownName } from '../own-name.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';
import { findRunId } from './named-run.ts';

type Run = AnswerOf<'getRun'>;
type Step = Run['steps'][number];
/**
 * `a` and `b` are the file's text in each revision. null: the revision has no such file, the file is not text, or too
 * many files have changed.
 */
type ChangedFile = {
  readonly path: string;
  readonly change: Change;
  readonly a: string | null;
  readonly b: string | null;
};

export async function run(options: Options, operands: readonly string[]): Promise<void> {
  const output = createOutput(options);
  const [word, other, extra] = operands;
  if (word === undefined)
    throw new Refusal(`missing operand: ${ownName} compare RUN [RUN]; ${ownName} runs lists the runs`);
  if (extra !== undefined) throw new Refusal(`unexpected word \`${extra}\`: ${ownName} compare takes one or two runs`);
  return withSession(options, async (session) => {
    const [a, b] = await findRuns(session, output, word, other);
    const log = await orNull(output, 'the logs', findLogDifference(session.client, a, b));
    const files = await orNull(output, 'the files', changedFiles(session.client, a, b));
    if (output.isJson) output.json(jsonOf({ a, b, log, files }));
    else {
      await printFacts(a, b, output);
      if (log) printLog(a, log, output);
      printFiles(files ?? [], output);
    }
  });
}

async function findRuns(
  session: Session,
  output: Output,
  word: string,
  other: string | undefined,
): Promise<readonly [Run, Run]> {
  const read = async (name: string): Promise<Run> => {
    const runId = await findRunId(session, name, { output, orLastOf: true, hasLog: true });
    return session.client.call('getRun', { path: { run_id: runId } });
  };
  const first = await read(word);
  if (other !== undefined) {
    const second = await read(other);
    return first.created_at <= second.created_at ? [first, second] : [second, first];
  }
  const last = await lastSuccessBefore(session.client, first);
  if (last) return [last, first];
  const advice = `name another run: ${session.command('compare', first.run_id, 'RUN')}`;
  throw new Refusal(`no run of ${first.job_id} succeeded before ${first.run_id}; ${advice}`, exitCodes.notFound);
}

/** Returns null for data that the caller may not read, or that was removed. */
async function orNull<T>(output: Output, what: string, read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    output.warn(`${what} are not compared: ${error.message}`);
    return null;
  }
}

/** How many changed files are read to compare their text. */
const mostRead = 30;

/** Returns an empty list for two runs of the same revision, and for runs of different jobs. */
async function changedFiles(client: Client, a: Run, b: Run): Promise<readonly ChangedFile[]> {
  if (a.job_id !== b.job_id || a.source.revision === b.source.revision) return [];
  const jobId = b.job_id;
  const list = (of: Run) =>
    client.call('listJobFiles', { path: { job_id: jobId }, query: { revision: of.source.revision } });
  const [before, after] = await Promise.all([list(a), list(b)]);
  const both = (path: string) =>
    Promise.all([before, after].map((files) => readJobFile(client, { jobId, path, files })));
  const changed: ChangedFile[] = [];
  for (const [path, change] of changesOf(after, before)) {
    const [was, is] = changed.length < mostRead ? await both(path) : [];
    changed.push({ path, change, a: was?.text ?? null, b: is?.text ?? null });
  }
  return changed;
}

function statusWords({ status, reason }: Run): string {
  return reason === null ? status : `${status} (${reason})`;
}

function jsonOf(o: {
  readonly a: Run;
  readonly b: Run;
  readonly log: LogDifference | null;
  readonly files: readonly ChangedFile[] | null;
}) {
  return {
    a: o.a.run_id,
    b: o.b.run_id,
    facts: { a: factsJson(o.a), b: factsJson(o.b) },
    arguments: comparedArguments(o.a, o.b).map(({ isSecret, ...one }) => ({ ...one, is_secret: isSecret })),
    steps: comparedSteps(o.a, o.b).map(({ stepId, a, b }) => ({ step_id: stepId, a: stepJson(a), b: stepJson(b) })),
    log: o.log?.kind === 'line' ? { kind: 'line', step_id: o.log.stepId, a: o.log.a, b: o.log.b } : o.log,
    files: o.files,
  };
}

function factsJson(run: Run) {
  return {
    job_id: run.job_id,
    created_at: run.created_at,
    revision: run.source.revision,
    source: run.source.name,
    status: run.status,
    reason: run.reason,
    worked_ms: workMs(run),
    created_by: run.created_by,
    profile: run.security.profile,
    labels: run.labels,
  };
}

function stepJson(step: Step | null) {
  return step && { status: step.status, took_ms: tookMs(step) };
}

const always: ReadonlySet<string> = new Set(['Status', 'Revision', 'Worked']);

async function printFacts(a: Run, b: Run, output: Output): Promise<void> {
  const changed = comparedArguments(a, b).filter(differs);
  const steps = comparedSteps(a, b).filter(({ isOther, isSlower }) => isOther || isSlower);
  await output.table(
    ['DIFFERENCE', flexible(a.run_id), flexible(b.run_id)],
    [
      row('created', output.time(a.created_at), output.time(b.created_at)),
      ...comparedFacts(a, b, statusWords)
        .filter((fact) => always.has(fact.name) || differs(fact))
        .map((fact) => row(fact.name.charAt(0).toLowerCase() + fact.name.slice(1), fact.a, fact.b)),
      ...changed.map((one) => row(`argument ${one.name}`, one.a, one.b)),
      ...(a.steps.length > 1 || b.steps.length > 1 ? steps : []).map((step) =>
        row(`step ${stepLabel(step.b ?? step.a ?? { step_id: step.stepId })}`, stepText(step.a), stepText(step.b)),
      ),
    ],
  );
  const but = haveSecrets(a, b) ? ', apart from secrets, which are not compared' : '';
  if (changed.length === 0) output.text(`\nThe arguments are the same${but}.\n`);
  else if (but !== '') output.text('\nSecret arguments are not compared.\n');
}

function row(name: string, was: string | null, is: string | null): readonly string[] {
  return [name, was ?? '-', is ?? '-'];
}

function stepText(step: Step | null): string | null {
  return step && `${step.status} ${tookWords(step, 0)}`.trimEnd();
}

function printLog(run: Run, log: LogDifference, output: Output): void {
  if (log.kind !== 'line') {
    const same =
      log.kind === 'same'
        ? 'are the same, apart from times and ids'
        : `do not differ in the ${log.lines} lines that were compared`;
    output.text(`\nThe logs ${same}.\n`);
    return;
  }
  const where = run.steps.length > 1 ? ` of step ${log.stepId}` : '';
  const at = log.b?.seq ?? log.a?.seq;
  output.text(`\nThe logs${where} differ from line ${at} on:\n`);
  printLine(output, 'removed', log.a?.message ?? '(ends before)');
  printLine(output, 'added', log.b?.message ?? '(ends before)');
}

const signs = { same: ' ', added: '+', removed: '-' } as const;
const looks = { same: 'faint', added: 'good', removed: 'bad' } as const;

function printLine(output: Output, kind: keyof typeof signs, text: string): void {
  output.text(`${output.paint(looks[kind], `${signs[kind]} ${text}`)}\n`);
}

function printFiles(files: readonly ChangedFile[], output: Output): void {
  for (const { path, change, a, b } of files) {
    output.text(`\n${output.paint('strong', path)} (${change})\n`);
    if (change === 'changed' ? a === null || b === null : a === null && b === null) {
      output.text(`  (not text, larger than 1 MiB, or after the first ${mostRead} files)\n`);
      continue;
    }
    const rows = fileDiff(a ?? '', b ?? '');
    if (rows === null) output.text('  (too little in common)\n');
    if (change === 'changed' && rows?.length === 0) output.text('  (only its executable bit)\n');
    for (const one of rows ?? []) {
      if (one.kind === 'gap') output.text('  …\n');
      else printLine(output, one.kind, one.text);
    }
  }
}
