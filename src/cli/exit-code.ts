// The exit codes of flwd with their meanings, and the error that ends a command with one of them.

export const exitCodes = {
  done: 0,
  /** The run failed or was cancelled, a key does not exist, or data is damaged. */
  runFailed: 1,
  /** Usage error, invalid arguments, a broken job or configuration, or a host that lacks something. */
  wrongUse: 2,
  notFound: 3,
  notAllowed: 4,
  unreachable: 5,
  /** Refused for now: a conflict, a full queue, a rate limit, something in use. */
  refused: 6,
  bug: 70,
  interrupted: 130,
} as const;

/** What each code means, as docs/cli.md lists it. */
export const exitCodeMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  done: 'Success. For commands that wait for a run: the run succeeded.',
  runFailed:
    'The run failed or was cancelled; a test, a check or a test message failed; a key of the key-value store does not exist; or the audit log, a backup, stored data or the requested file is damaged.',
  wrongUse:
    'Usage error: an unknown command or option, arguments that the job does not take, an invalid job or flwd.yaml, or a host that lacks a required feature.',
  notFound:
    'The job, run, step, schedule, webhook, token, secret, artifact or instance does not exist, a folder contains no jobs, or there are no tests to run.',
  notAllowed: 'Not allowed: the token is invalid or lacks a scope, or the instance forbids the profile or permission.',
  unreachable: 'The server cannot be reached.',
  refused:
    'Refused for now: a conflict with another run or change, a file that already exists, a full queue, a rate limit, a server that is starting, stopping or overloaded, or a data dir in use.',
  bug: 'A bug in flwd.',
  interrupted: 'Ctrl-C, SIGTERM or SIGHUP ended the command, or somebody removed or moved its data dir or database.',
};

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command. The message tells the user what happened and what to do. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = exitCodes.wrongUse) {
    super(message);
    this.exitCode = exitCode;
  }
}
