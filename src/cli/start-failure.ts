// What keeps a command from the data dir, as the command says it: an operator can mend it.

import { DataDirOwned } from '../lib/owner-lock.ts';
import { StartError } from '../lib/start-error.ts';
import { exitCodes, Refusal } from './exit-code.ts';

/** A Refusal, or the error itself where it is a bug. */
export function explainedStart(error: unknown): unknown {
  if (error instanceof DataDirOwned) return new Refusal(error.message, exitCodes.refused);
  return error instanceof StartError ? new Refusal(error.message) : error;
}
