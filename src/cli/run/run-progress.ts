// The progress of a run in one line: how long it takes, its steps, and what the job itself reports.

import type { Client } from '../../client/client.ts';
import { outlookOf } from '../../client/run-outlook.ts';
import { secondsWords } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { startingWords } from '../../domain/run.ts';
import type { Session } from '../session/session.ts';
import type { Output } from '../terminal/output.ts';
import type { StepLabels } from './step-labels.ts';

type Run = AnswerOf<'getRun'>;
type Progress = { readonly percent: number; readonly message: string };

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const barCells = 20;

/**
 * Shows the progress of a run. Its `follow` reads events until the signal is aborted.
 * @param o.onStep called with a sentence when a step starts or ends
 */
export function createRunProgress(
  run: Pick<Run, 'run_id' | 'job_id'>,
  o: {
    readonly steps: readonly string[];
    readonly labels: StepLabels;
    readonly output: Output;
    /** Whether somebody sees the progress. If not, no request is made to find out how long the run will take. */
    readonly isShown: boolean;
    readonly command: Session['command'];
    readonly onStep: (words: string) => void;
    /** Called when the run waits for a person's decision. */
    readonly onQuestion: (words: string) => void;
  },
) {
  const startedMs = Date.now();
  /** The instances of a step do not count. */
  const counted = new Set(o.steps);
  const ended = new Set<string>();
  /** The labels of running steps, by step. */
  const running = new Map<string, string>();
  const asking = new Set<string>();
  let askedMs = 0;
  /** How long the run waited for people's decisions. This time does not count as work. */
  let waitedMs = 0;
  let waiting: string | null = null;
  let workingSinceMs: number | undefined;
  let expectedMs: number | null = null;
  let isCancelling = false;
  let progress: Progress | undefined;
  let turn = 0;

  function take(event: string, data: Readonly<Record<string, unknown>>): void {
    const step = stepOf(data);
    const label = o.labels.of(step);
    if (event === 'run.started') workingSinceMs = Date.now();
    if (event === 'run.started' || event === 'run.waiting')
      waiting = typeof data.message === 'string' ? data.message : null;
    if (event === 'run.cancelling') isCancelling = true;
    if (event === 'run.progress') progress = progressOf(data);
    if (event === 'step.started') running.set(step, label);
    if (event === 'step.waiting_approval') {
      if (asking.size === 0) askedMs = Date.now();
      asking.add(step);
    }
    if (event === 'step.finished' || event === 'step.skipped') {
      running.delete(step);
      if (counted.has(step)) ended.add(step);
      if (asking.delete(step) && asking.size === 0) waitedMs += Date.now() - askedMs;
    }
    if (o.steps.length === 0) return;
    const words = stepWords(event, data);
    if (words !== undefined) o.onStep(`${label} ${words}`);
    if (event === 'step.waiting_approval')
      o.onQuestion(`${label} waits for approval: ${o.command('approve', run.run_id, step)}`);
  }

  return {
    /** Null if the run does not wait, or only for its instance to start. */
    whyWaiting: (): string | null => (waiting === startingWords ? null : waiting),
    text(): string {
      const sign = o.output.paint('busy', frames[turn++ % frames.length] ?? '');
      const state = isCancelling ? 'is being cancelled' : stateWords(workingSinceMs !== undefined, waiting);
      const time = secondsWords(Date.now() - startedMs - waitedMs);
      const steps = stepsWords(counted.size, ended.size, running.values());
      const left = asking.size === 0 && !isCancelling ? leftOf({ workingSinceMs, waitedMs, progress, expectedMs }) : '';
      return `${sign} ${run.job_id} ${state}  ${time}${steps}${left}${barOf(progress)}`;
    },
    async follow(client: Client, signal: AbortSignal): Promise<void> {
      const path = { run_id: run.run_id };
      const events = client.stream('getRunEvents', { path, query: { types: eventTypes }, signal });
      for await (const { event, data } of events) {
        await o.labels.learn(stepOf(data));
        take(event, data);
        if (event !== 'run.started' || !o.isShown) continue;
        expectedMs = (await client.call('getRun', { path })).expected_ms;
      }
    },
  };
}

function stateWords(hasStarted: boolean, waiting: string | null): string {
  if (hasStarted && waiting === null) return 'runs';
  return waiting ? `waits: ${waiting}` : 'waits';
}

function stepsWords(count: number, ended: number, running: Iterable<string>): string {
  if (count === 0) return '';
  const names = [...running].join(', ');
  return `  ${ended}/${count} steps${names && `: ${names}`}`;
}

function stepWords(event: string, { status }: Readonly<Record<string, unknown>>): string | undefined {
  if (event === 'step.started') return 'started';
  if (event === 'step.finished') return `ended: ${String(status)}`;
  if (event === 'step.skipped') return 'was skipped';
  return event === 'step.retrying' ? 'is retried' : undefined;
}

/** Says how much time of the run is probably left. */
function leftOf(o: {
  readonly workingSinceMs: number | undefined;
  readonly waitedMs: number;
  readonly progress: Progress | undefined;
  readonly expectedMs: number | null;
}): string {
  if (o.workingSinceMs === undefined) return '';
  const run = {
    started_at: new Date(o.workingSinceMs).toISOString(),
    finished_at: null,
    waiting_approval: [],
    approval_ms: o.waitedMs,
    progress: o.progress ?? null,
  };
  const { words } = outlookOf(run, o.expectedMs, Date.now());
  return words === '' ? '' : `  ${words}`;
}

function stepOf(data: Readonly<Record<string, unknown>>): string {
  return typeof data.step_id === 'string' ? data.step_id : '';
}

const eventTypes =
  'run.started,run.waiting,run.progress,run.cancelling,run.finished,step.started,step.finished,step.skipped,step.retrying,step.waiting_approval';

function progressOf({ percent, message }: Readonly<Record<string, unknown>>): Progress {
  return { percent: Number(percent) || 0, message: typeof message === 'string' ? message : '' };
}

export function barOf(progress: Progress | undefined): string {
  if (!progress) return '';
  const share = Math.min(100, Math.max(0, progress.percent));
  const full = Math.round((share / 100) * barCells);
  return `  [${'█'.repeat(full)}${'·'.repeat(barCells - full)}] ${Math.round(share)} %${progress.message && ` ${progress.message}`}`;
}
