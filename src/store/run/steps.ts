// The attempts of steps as the engine changes them; each change is one statement of step-moves.ts.

import { touchRun } from './run-moves.ts';
import { addRetry, addSteps, endStep, nameChild, resumeSteps, skipStep, startStep } from './step-moves.ts';

export type { About, NewStep } from './step-moves.ts';

export const stepStore = {
  add: addSteps,
  start: startStep,
  end: endStep,
  skip: skipStep,
  retry: addRetry,
  resume: resumeSteps,
  nameChild,
  /** To be called with every change of a running run's steps; false when the run is not running any more. */
  touch: touchRun,
};
export type StepStore = typeof stepStore;
