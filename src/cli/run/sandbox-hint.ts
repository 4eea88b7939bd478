// What to say of a run that failed in the sandbox as scripts do that were never in one: it cannot find a file that is there, may
// not touch one, or knows no network.

import type { AnswerOf } from '../../contract/operations.ts';
import type { Session } from '../session/session.ts';
import type { Output } from '../terminal/output.ts';

type Run = Pick<AnswerOf<'getRun'>, 'status' | 'reason' | 'security'>;

const lookedAt = 20;

const lead = 'the job sees only its own files (profile secure)';

/** A code is a word in capitals: Python's `FileNotFoundError` is no ENOTFOUND. */
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
        ? 'the job has no network (profile secure): `permissions: {network: all}` gives it one'
        : undefined,
  },
  {
    says: /permission denied|operation not permitted/i,
    code: /\b(?:EACCES|EPERM)\b/,
    hint: ({ security }) =>
      `the job runs as uid ${security.isolation.uid} (profile secure): that user must be allowed to, by the file's owner, mode or ACL`,
  },
  {
    says: /read-only file system/i,
    code: /\bEROFS\b/,
    hint: () => `${lead} to write to: \`permissions: {write: [...]}\` adds to them`,
  },
  {
    says: /no such file or directory/i,
    code: /\bENOENT\b/,
    hint: () => `${lead}: \`permissions: {read: [...]}\` lets it see more`,
  },
];

/** One line on standard error, where there is something to say. */
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
 * undefined where nothing speaks for it.
 * @param lines the last ones that the script wrote to standard error
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
