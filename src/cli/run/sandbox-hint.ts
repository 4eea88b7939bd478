// Explains failures that are typical of scripts in a sandbox for the first time: a missing file, a denied permission,
// no network.

import type { AnswerOf } from '../../contract/operations.ts';
import type { Session } from '../session/session.ts';
import type { Output } from '../terminal/output.ts';

type Run = Pick<AnswerOf<'getRun'>, 'status' | 'reason' | 'security'>;

const lookedAt = 20;

const lead = 'profile secure shows the job only its own files';

/** Error codes match in capitals only: Python's `FileNotFoundError` is not ENOTFOUND. */
type Kind = {
  readonly says: RegExp;
  readonly code: RegExp;
  readonly hint: (run: Run) => string | undefined;
};

const kinds: readonly Kind[] = [
  {
    says: /could not resolve|(?:name or service|hostname) not known|(?:failure in|during) name resolution|network is unreachable/i,
    code: /\b(?:ENOTFOUND|EAI_AGAIN|ENETUNREACH)\b/,
    hint: ({ security }) =>
      security.isolation.network === 'none'
        ? 'profile secure gives the job no network: allow it with `permissions: {network: all}`'
        : undefined,
  },
  {
    says: /permission denied|operation not permitted/i,
    code: /\b(?:EACCES|EPERM)\b/,
    hint: ({ security }) =>
      `profile secure runs the job as uid ${security.isolation.uid}: the file's owner, mode or ACL must let that user in`,
  },
  {
    says: /read-only file system/i,
    code: /\bEROFS\b/,
    hint: () =>
      'profile secure lets the job write only to its own files: allow more with `permissions: {write: [...]}`',
  },
  {
    says: /no such file or directory/i,
    code: /\bENOENT\b/,
    hint: () => `${lead}: allow more with \`permissions: {read: [...]}\`, or \`write\` if the script writes there`,
  },
];

/** Prints a hint on standard error if the run's error is a typical one. */
export async function hintAtSandbox({ client }: Session, run: AnswerOf<'getRun'>, output: Output): Promise<void> {
  if (!isOfSandbox(run)) return;
  const { logs } = await client.call('getRunLogs', { path: { run_id: run.run_id }, query: { tail: lookedAt } });
  const errors = logs.filter(({ stream }) => stream === 'stderr').map(({ message }) => message);
  const hint = sandboxHint(run, errors);
  if (hint !== undefined) output.say(`hint: ${hint}`);
}

function isOfSandbox({ status, reason, security }: Run): boolean {
  return status === 'failed' && reason === 'exit' && security.profile === 'secure';
}

/**
 * undefined if no known error is found.
 * @param lines the last lines that the script wrote to standard error
 */
export function sandboxHint(run: Run, lines: readonly string[]): string | undefined {
  if (!isOfSandbox(run)) return undefined;
  for (const line of lines.toReversed()) {
    const kind = kinds.find(({ says, code }) => says.test(line) || code.test(line));
    const hint = kind?.hint(run);
    if (hint !== undefined) return `${hint}; docs/jobs.md#what-a-job-sees`;
  }
  return undefined;
}
