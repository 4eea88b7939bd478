// Jobs with several steps for tests, and what their runs show.

import type { Run, Step } from '../../src/domain/run.ts';
import type { JobFiles } from '../support/jobs.ts';

/** A job whose steps run the scripts of these names. */
export function steps(
  config: Readonly<Record<string, unknown>>,
  scripts: Readonly<Record<string, string>> = {},
): JobFiles {
  const files = Object.entries(scripts).map(([name, text]) => [`${name}.sh`, `#!/usr/bin/env bash\n${text}\n`]);
  return { 'config.yaml': JSON.stringify(config), ...Object.fromEntries(files) };
}

/** A step that runs the script with its name. */
export function script(id: string, more: object = {}): object {
  return { id, script: `./${id}.sh`, ...more };
}

/**
 * Waits until the clock of the file system has moved on. Before Linux 6.13 this takes up to 10 ms, or longer on a busy
 * machine.
 */
export const tick = 'touch /tmp/before; until [[ /tmp/after -nt /tmp/before ]]; do sleep 0.005; touch /tmp/after; done';

export function byId(run: Run): Record<string, Step> {
  return Object.fromEntries(run.steps.map((step) => [step.step_id, step]));
}
