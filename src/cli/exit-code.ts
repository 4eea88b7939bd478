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
