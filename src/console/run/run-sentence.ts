// The state of a run in a sentence: what happened, where and why, and what became of the other steps.

import { failingStep } from '../../client/shown-steps.ts';
import { secondsWords, spanWords, tookMs } from '../../client/took.ts';
import { byRequester } from '../../domain/outcome/cancel-request.ts';
import { otherFailures } from '../../domain/outcome/step-and-message.ts';
import { isFinished } from '../../domain/run.ts';
import { instanceName } from '../graph/instance-grid.ts';
import { errorWords, type Run, reasonWords, type Step } from '../words.ts';
import { listWords } from './steps/step-words.ts';

export type RunSentence = {
  /** The beginning of the sentence, which has the colour of the status. */
  readonly lead: string;
  /** The message of the program, or of flwd. */
  readonly why: string;
  readonly rest: string;
  /** The time so far. It changes every second while the run runs, so screen readers do not announce it. */
  readonly soFar: string;
};

export function runSentence(run: Run, nowMs: number): RunSentence {
  const ms = tookMs(run, nowMs);
  const took = ms === null ? '' : isFinished(run.status) ? spanWords(ms) : secondsWords(ms);
  switch (run.status) {
    case 'pending':
      return sentence('Waiting:', `${run.waiting ?? 'in the queue'}.`);
    case 'running':
      return runningSentence(run, took);
    case 'success':
      return sentence('Succeeded', `in ${took}.`, othersWords(run, null));
    case 'cancelled':
      return sentence(
        'Cancelled',
        `${byRequester(run)} ${took === '' ? 'before it started' : `after ${took}`}.`.trim(),
      );
    default:
      return failedSentence(run, took);
  }
}

function sentence(lead: string, why: string, rest = ''): RunSentence {
  return { lead, why, rest, soFar: '' };
}

function runningSentence(run: Run, took: string): RunSentence {
  if (run.cancel_requested_at !== null)
    return sentence(`Being cancelled${byRequester(run)}:`, 'its processes were asked to stop.');
  const asking = run.steps.filter(({ status, kind }) => status === 'waiting_approval' && kind !== 'group');
  const [asked] = asking;
  if (asked) {
    const more = asking.length === 1 ? '' : `${asking.length - 1} more to answer.`;
    return sentence('Waiting for approval:', asked.message ?? `${asked.step_id}.`, more);
  }
  if (run.waiting !== null) return sentence('Waiting:', `${run.waiting}.`);
  const now = run.steps.filter(({ status, kind }) => status === 'running' && kind !== 'group');
  const where = run.steps.length > 1 && now.length > 0 ? listWords(now.map(stepWords)) : '';
  const progress = run.progress ? `, ${run.progress.percent} %, ${run.progress.message}` : '';
  return { lead: 'Running', why: where, rest: '', soFar: `for ${took}${progress}.` };
}

function failedSentence(run: Run, took: string): RunSentence {
  const failed = run.steps.find(
    ({ step_id: id }) => id === (run.error?.step_id ?? failingStep(run, { hasSubRuns: true })),
  );
  const where = failed && run.steps.length > 1 ? ` in ${stepWords(failed)}` : took === '' ? '' : ` after ${took}`;
  const code = run.error || run.exit_code === null || run.exit_code === 0 ? '' : ` (exit code ${run.exit_code})`;
  const message = run.error && errorWords(run.error.message.replace(`${failed?.child_run_id} of `, ''));
  const why = (message ?? reasonWords(run.reason)).replace(/\.$/, '');
  return sentence(`Failed${where}:`, `${why}${code}.`, othersWords(run, failed ?? null));
}

/** "test, node=24 db=pg" */
function stepWords(step: Step): string {
  const { step_id: id, instance_of: of } = step;
  return of === null ? id : `${of}, ${instanceName(step)}`;
}

/** "5 other instances succeeded, 2 steps did not run." */
function othersWords({ steps, error }: Run, failed: Step | null): string {
  const others = steps.filter((step) => step !== failed);
  const siblings = others.filter(({ instance_of: of }) => of !== null && of === failed?.instance_of);
  const fine = siblings.filter(({ status }) => status === 'success').length;
  const own = others.filter(({ instance_of: of, step_id: id }) => of === null && id !== failed?.instance_of);
  const count = (status: Step['status']): number => own.filter((step) => step.status === status).length;
  // A step whose condition was false is not counted, because it was not meant to run.
  const prevented = own.filter(({ reason }) => reason === 'upstream_failed').length;
  const parts = [
    error ? otherFailures(error) : count('failed') > 0 && `${stepsWords(count('failed'))} failed`,
    fine > 0 && `${fine} other ${fine === 1 ? 'instance' : 'instances'} succeeded`,
    prevented > 0 && `${stepsWords(prevented)} did not run`,
  ].filter((part) => part !== false && part !== '');
  const words = parts.join(', ');
  return words === '' ? '' : `${words}.`;
}

function stepsWords(count: number): string {
  return `${count} ${count === 1 ? 'step' : 'steps'}`;
}
