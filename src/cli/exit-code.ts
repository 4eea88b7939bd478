// What each exit code of flwd means, and the error that ends a command with one.

export const exitCodes = {
  done: 0,
  /** The run failed or was cancelled. */
  runFailed: 1,
  /** Wrong use, invalid arguments, a broken job or configuration. */
  wrongUse: 2,
  notFound: 3,
  notAllowed: 4,
  unreachable: 5,
  /** Refused for now: a conflict, a full queue, a rate limit, something that is in use. */
  refused: 6,
  bug: 70,
  interrupted: 130,
} as const;

/** For docs/cli.md. */
export const exitCodeMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  done: 'Done. Of a run: it succeeded.',
  runFailed:
    'The run failed or was cancelled; the audit log is broken; a backup, a restore or `flwd doctor` found damage; what was asked for is damaged.',
  wrongUse:
    'Wrong use: a word or an option that is none, arguments that the job does not take, a broken job or flwd.yaml, a host that lacks what is asked of it.',
  notFound: 'No such job, run, token, secret or artifact, or no instance.',
  notAllowed:
    'Not allowed: no valid token, a scope that it lacks, a profile or a grant that the instance does not give.',
  unreachable: 'The server is not reached.',
  refused:
    'Refused for now: a conflict with another run, a full queue, a rate limit, a server that starts, stops or has too much to do, a data dir in use.',
  bug: 'A bug in flwd.',
  interrupted: 'Ended by Ctrl-C or SIGTERM.',
};

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command: the message is for the user and says what to do. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = exitCodes.wrongUse) {
    super(message);
    this.exitCode = exitCode;
  }
}
