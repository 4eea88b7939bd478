// The jobs of the chaos loop, and the expected output of each: numbered lines on both streams, so that lost, duplicated
// and disordered lines can be found.

import { bash, type JobFiles } from '../support/jobs.ts';

export type ScriptArgs = { readonly n: number; readonly pause: string };
export type Script = {
  readonly files: JobFiles;
  /** How many lines an uninterrupted run prints to stdout and to stderr. */
  readonly prints: (args: ScriptArgs) => { readonly out: number; readonly err: number };
  /** How many attempts each printing step needs. By default, `step_01` needs one. */
  readonly attempts?: Readonly<Record<string, number>>;
  /** A lost step starts again. */
  readonly isTriedAgain?: true;
  readonly ends: { readonly status: string; readonly reason: string | null };
  readonly args: {
    readonly n: readonly [number, number];
    readonly pauseMs: readonly [number, number];
  };
};

export const argspec = {
  type: 'object',
  required: ['n', 'pause'],
  properties: { n: { type: 'integer' }, pause: { type: 'string' } },
};
export const steadily = 'for ((i = 1; i <= n; i++)); do echo "out $i"; echo "err $i" >&2; sleep "$pause"; done';
export const both = ({ n }: ScriptArgs) => ({ out: n, err: n });
export const success = { status: 'success', reason: null };

/** `mark` is in the environment and the command line of every process that the scripts start. */
export function chaosScripts(mark: string) {
  const script = (text: string, config: Readonly<Record<string, unknown>> = {}): JobFiles =>
    bash(text, { argspec, env: { CHAOS_MARK: mark }, ...config });
  return {
    quick: {
      files: script(steadily),
      prints: both,
      ends: success,
      args: { n: [0, 3], pauseMs: [0, 0] },
    },
    steady: {
      files: script(steadily),
      prints: both,
      ends: success,
      args: { n: [5, 40], pauseMs: [5, 60] },
    },
    slow: {
      files: script(steadily),
      prints: both,
      ends: success,
      args: { n: [15, 25], pauseMs: [150, 250] },
    },
    burst: {
      files: script(`seq -f 'out %.0f' 1 "$n"; sleep "$pause"; seq -f 'err %.0f' 1 "$((n / 4))" >&2`),
      prints: ({ n }) => ({ out: n, err: Math.floor(n / 4) }),
      ends: success,
      args: { n: [500, 4_000], pauseMs: [0, 200] },
    },
    stubborn: {
      files: script(`trap '' TERM; ${steadily}`, { cancel: { grace: '300ms' } }),
      prints: both,
      ends: success,
      args: { n: [10, 30], pauseMs: [20, 80] },
    },
    daemon: {
      files: script(`setsid sleep 3600.${mark} & setsid bash -c 'trap "" TERM HUP; sleep 3601.${mark}' & ${steadily}`),
      prints: both,
      ends: success,
      args: { n: [1, 10], pauseMs: [5, 60] },
    },
    keeper: {
      files: script(
        `flwd_progress 10 begun; ${steadily}; flwd_progress 90 nearly
echo kept > "$FLWD_ARTIFACTS_DIR/kept.txt"; flwd_result "{\\"n\\": $n}"`,
      ),
      prints: both,
      ends: success,
      args: { n: [1, 10], pauseMs: [5, 60] },
    },
    fails: {
      files: script(`${steadily}; exit 3`),
      prints: both,
      ends: { status: 'failed', reason: 'exit' },
      args: { n: [1, 10], pauseMs: [5, 40] },
    },
    late: {
      files: script(`${steadily}; sleep 3602.${mark}`, { timeouts: { run: '1500ms' }, cancel: { grace: '500ms' } }),
      prints: both,
      ends: { status: 'failed', reason: 'timeout' },
      args: { n: [1, 5], pauseMs: [5, 20] },
    },
  } as const satisfies Record<string, Script>;
}
