// The symbols for the states of runs and steps in the console and the terminal UI.

import type { StepStatus } from '../domain/run.ts';

export const statusGlyphs: Readonly<Record<StepStatus, string>> = {
  pending: '○',
  running: '●',
  success: '✓',
  failed: '✗',
  cancelled: '–',
  skipped: '·',
  waiting_approval: '?',
};
