// Commands that work on the files of a data dir, and so on those of this machine alone.

import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import { isOfThisMachine } from './session.ts';

/** @throws Refusal where the environment names another machine's instance */
export function assertOfThisMachine(verb: string, options: Options): void {
  if (isOfThisMachine(options)) return;
  throw new Refusal(`flwd ${verb} works on the data dir itself: run it on that machine, or unset FLWD_REMOTE`);
}
