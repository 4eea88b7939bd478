// `flwd test`: runs the tests of jobs in the real sandbox, on a temporary instance.

import type { Client } from '../../client/client.ts';
import { spanWords } from '../../client/took.ts';
import type { AnswerOf, BodyOf } from '../../contract/operations.ts';
import type { JobTest } from '../../domain/job-test.ts';
import { toTimerDelay } from '../../lib/clock.ts';
import type { Options } from '../command.ts';
import { hint } from '../command-line.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { explained } from '../explained.ts';
import { ownName } from '../own-name.ts';
import { followLog } from '../run/log-lines.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { abortOnStop } from '../session/stop-signal.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { placed } from './known-jobs.ts';
import { cores, withTestInstance } from './test-instance.ts';
import { differences, watchLog } from './test-verdict.ts';

type Case = { readonly jobId: string; readonly test: JobTest };
/** Tests that must run one after another. */
type Sequence = readonly Case[];
type Verdict = Case & {
  readonly status: string | null;
  readonly durationMs: number;
  readonly failures: readonly string[];
  readonly lastLines: readonly string[];
};

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const output = createOutput(options);
  const loaded = loadConfiguration(options);
  const { sequences, files } = await findTests(operands, loaded.config);
  const count = sequences.flat().length;
  if (count === 0) throw new Refusal(noTestsWords(files), exitCodes.notFound);
  const stopped = abortOnStop();
  const verdicts = await withTestInstance(loaded, (client) => runAll(client, sequences, stopped, output));
  if (stopped.aborted) return exitCodes.interrupted;
  const failed = verdicts.filter(({ failures }) => failures.length > 0).length;
  output.say(failed > 0 ? `${failed} of ${count} failed` : `${count} passed`);
  return failed > 0 ? exitCodes.runFailed : exitCodes.done;
}

function noTestsWords(files: number): string {
  if (files === 0) return 'no tests found: put a tests.yaml beside the config.yaml of a job';
  return files === 1 ? 'the tests.yaml contains no test yet' : `${files} tests.yaml files contain no test yet`;
}

/**
 * @returns the tests, and the number of files that could contain tests
 * @throws Refusal if there is no such job, a job that a word names has no tests, or a file is broken
 */
async function findTests(
  words: readonly string[],
  config: Parameters<typeof withTestInstance>[0]['config'],
): Promise<{ readonly sequences: readonly Sequence[]; readonly files: number }> {
  const { readTests } = await import('../../sources.ts');
  const isAskedFor = (id: string): boolean => words.length === 0 || words.some((word) => isNamed(id, word));
  const { jobs, invalid } = await readTests(config, isAskedFor);
  const ids = [...jobs.map(({ definition: { id } }) => id), ...invalid.map(({ id }) => id)];
  const missing = words.find((word) => !ids.some((id) => isNamed(id, word)));
  if (missing !== undefined) throw await unknownJob(missing, config);
  const broken = [
    ...invalid.flatMap(({ errors }) => errors),
    ...jobs.flatMap(({ tests }) => (tests && 'errors' in tests ? tests.errors : [])),
  ];
  if (broken.length > 0) throw new Refusal(broken.map(placed).join('\n'));
  const testless = jobs.find(({ definition: { id }, tests }) => words.includes(id) && testsIn(tests).length === 0);
  if (testless) {
    const { definition, tests } = testless;
    const words = tests
      ? `the tests.yaml of the job ${definition.id} contains no test yet`
      : `the job ${definition.id} has no tests.yaml beside its config.yaml`;
    throw new Refusal(words, exitCodes.notFound);
  }
  const sequences = jobs.flatMap(({ definition: { id: jobId, concurrency }, tests }): Sequence[] => {
    const cases = testsIn(tests).map((test) => ({ jobId, test }));
    // With a concurrency rule, tests that run together would wait for, refuse or cancel each other.
    return concurrency ? [cases] : cases.map((one) => [one]);
  });
  return { sequences, files: jobs.filter(({ tests }) => tests).length };
}

function testsIn(file: { readonly tests: readonly JobTest[] } | { readonly errors: unknown } | undefined) {
  return file && 'tests' in file ? file.tests : [];
}

/** The word names this job or a namespace above it. */
function isNamed(id: string, word: string): boolean {
  return id === word || id.startsWith(`${word}/`);
}

async function unknownJob(id: string, config: Parameters<typeof withTestInstance>[0]['config']): Promise<Refusal> {
  const { readTests } = await import('../../sources.ts');
  const { jobs } = await readTests(config, () => true);
  const near = hint(
    id,
    jobs.map(({ definition }) => definition.id),
  );
  return new Refusal(`there is no job \`${id}\`${near ?? `; ${ownName} jobs lists the jobs`}`, exitCodes.notFound);
}

async function runAll(
  client: Client,
  sequences: readonly Sequence[],
  signal: AbortSignal,
  output: Output,
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  const waiting = [...sequences];
  async function work(): Promise<void> {
    for (let sequence = waiting.shift(); sequence; sequence = waiting.shift()) {
      for (const one of sequence) {
        if (signal.aborted) return;
        const verdict = await runTest(client, one, signal);
        if (signal.aborted) return;
        verdicts.push(verdict);
        print(verdict, output);
      }
    }
  }
  await Promise.all(Array.from({ length: cores }, work));
  return verdicts;
}

async function runTest(client: Client, { jobId, test }: Case, signal: AbortSignal): Promise<Verdict> {
  const { expect } = test;
  const log = watchLog(expect.log);
  try {
    const body: BodyOf<'createRun'> = {
      job_id: jobId,
      args: test.args,
      ...(test.profile && { security_profile: test.profile }),
    };
    const { run_id: runId } = await client.call('createRun', { body });
    const { ended, isOverdue } = await toItsEnd(client, runId, { signal, mostMs: expect.maxDurationMs, see: log.see });
    const { artifacts } = await client.call('listArtifacts', { query: { run_id: runId } });
    const { status, exit_code: exitCode, result, error } = ended;
    const durationMs = durationOf(ended);
    const actual = {
      status,
      exitCode,
      error,
      result: result?.value,
      artifacts: artifacts.map(({ name }) => name),
      durationMs,
      isOverdue,
      missingInLog: log.missing(),
    };
    return { jobId, test, status, durationMs, failures: differences(expect, actual), lastLines: log.lastLines() };
  } catch (error) {
    // The job or the instance refused the run, so this test has failed.
    const known = explained(error);
    if (!(known instanceof Refusal)) throw error;
    return { jobId, test, status: null, durationMs: 0, failures: [`refused: ${known.message}`], lastLines: [] };
  }
}

type Run = AnswerOf<'getRun'>;

async function toItsEnd(
  client: Client,
  runId: string,
  o: { readonly signal: AbortSignal; readonly mostMs: number; readonly see: (line: string) => void },
): Promise<{ readonly ended: Run; readonly isOverdue: boolean }> {
  const path = { run_id: runId };
  const end = (): void => void client.call('cancelRun', { path, query: { force: true } }).catch(() => undefined);
  let isOverdue = false;
  const overdue = setTimeout(() => {
    isOverdue = true;
    end();
  }, toTimerDelay(o.mostMs));
  o.signal.addEventListener('abort', end);
  if (o.signal.aborted) end();
  try {
    await followLog(client, runId, { print: ({ message }) => o.see(message) });
    return { ended: await client.call('getRun', { path }), isOverdue };
  } finally {
    clearTimeout(overdue);
    o.signal.removeEventListener('abort', end);
  }
}

function durationOf({ started_at: startedAt, created_at: createdAt, finished_at: finishedAt }: Run): number {
  return Date.parse(finishedAt ?? createdAt) - Date.parse(startedAt ?? createdAt);
}

function print({ jobId, test, status, durationMs, failures, lastLines }: Verdict, output: Output): void {
  const hasPassed = failures.length === 0;
  if (output.isJson) {
    const outcome = hasPassed ? 'passed' : 'failed';
    const log = hasPassed ? [] : lastLines;
    output.json({ job_id: jobId, test: test.name, outcome, status, duration_ms: durationMs, failures, log });
    return;
  }
  const mark = hasPassed ? output.paint('good', 'passed') : output.paint('bad', 'failed');
  const lines = [`${mark} ${jobId}: ${test.name} (${spanWords(durationMs)})`];
  if (!hasPassed) {
    lines.push(...failures.flatMap((failure) => failure.split('\n')).map((line) => `  ${line}`));
    if (lastLines.length > 0)
      lines.push('  the last lines of its log:', ...lastLines.map((line) => `    ${output.paint('faint', line)}`));
  }
  output.text(`${lines.join('\n')}\n`);
}
