// Jobs with steps for the chaos loop: parallel steps, retries, an approval, a sub-run, instances, and steps that start
// again when they are lost.

import type { JobFiles } from '../support/jobs.ts';
import { argspec, both, type Script, steadily, success } from './scripts.ts';

const args = { n: [1, 12], pauseMs: [5, 60] } as const;

export function stepScripts(mark: string) {
  const job = (config: Readonly<Record<string, unknown>>, files: JobFiles = {}): JobFiles => ({
    'config.yaml': JSON.stringify({ argspec, env: { CHAOS_MARK: mark }, ...config }, null, 2),
    'print.sh': `#!/usr/bin/env bash\n${steadily}\n`,
    ...files,
  });
  const script = './print.sh';
  const steps = (...list: readonly Readonly<Record<string, unknown>>[]) => ({ composition: 'steps', steps: list });
  return {
    diamond: {
      files: job(
        steps(
          { id: 'first', script },
          { id: 'left', script, needs: ['first'] },
          { id: 'right', script, needs: ['first'] },
          { id: 'last', script, needs: ['left', 'right'] },
        ),
      ),
      prints: both,
      attempts: { first: 1, left: 1, right: 1, last: 1 },
      ends: success,
      args,
    },
    retries: {
      files: job(
        steps({ id: 'tries', script: './try.sh', retry: { limit: 4, delay: '150ms', backoff: 'fixed', on: [75] } }),
        { 'try.sh': `#!/usr/bin/env bash\n${steadily}\nif ((FLWD_ATTEMPT < 3)); then exit 75; fi\n` },
      ),
      prints: both,
      attempts: { tries: 3 },
      ends: success,
      args: { n: [1, 6], pauseMs: [5, 40] },
    },
    gated: {
      files: job(
        steps(
          { id: 'before', script },
          { id: 'gate', approval: { text: 'go on?' }, needs: ['before'] },
          { id: 'after', script, needs: ['gate'] },
        ),
      ),
      prints: both,
      attempts: { before: 1, after: 1 },
      ends: success,
      args: { n: [1, 6], pauseMs: [5, 40] },
    },
    parent: {
      files: job(
        steps(
          { id: 'before', script },
          {
            id: 'child',
            job: 'steady',
            args: { n: { from: 'args.n' }, pause: { from: 'args.pause' } },
            needs: ['before'],
          },
          { id: 'after', script, needs: ['child'] },
        ),
      ),
      prints: both,
      attempts: { before: 1, after: 1 },
      ends: success,
      args: { n: [1, 6], pauseMs: [5, 40] },
    },
    many: {
      files: job(steps({ id: 'each', script, matrix: { side: ['a', 'b', 'c'] } })),
      prints: both,
      attempts: { 'each[side=a]': 1, 'each[side=b]': 1, 'each[side=c]': 1 },
      ends: success,
      args: { n: [1, 6], pauseMs: [5, 40] },
    },
    again: {
      files: job({ ...steps({ id: 'once', script }), on_lost: 'retry' }),
      prints: both,
      attempts: { once: 1 },
      isTriedAgain: true,
      ends: success,
      args,
    },
  } as const satisfies Record<string, Script>;
}
