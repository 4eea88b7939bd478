// Runs a function that must not go on for long, and ends it where it stands when it does. What it does in one call of the
// engine, such as a search in a long text, cannot be ended: its inputs are bounded by the caller.

import { type Context, createContext, Script } from 'node:vm';

const script = new Script('work()');
let sandbox: Context | undefined;

/** The clock also runs while others have the processor, which says nothing about the function. */
const turns = 3;

/** `work` may be run again from its beginning. Costs 0.2 ms. @throws TimeLimitPassed, and what `work` throws */
export function withinTime<T>(limitMs: number, work: () => T): T {
  const before = process.threadCpuUsage();
  for (let turn = 1; turn <= turns; turn += 1) {
    const result = runOnce(limitMs, work);
    if (result) return result.value;
    const { user, system } = process.threadCpuUsage(before);
    if ((user + system) / 1000 >= limitMs / 2) break;
  }
  throw new TimeLimitPassed(`takes longer than ${limitMs} ms`);
}

export class TimeLimitPassed extends Error {}

/** Undefined when it was ended. */
function runOnce<T>(limitMs: number, work: () => T): { readonly value: T } | undefined {
  let result: { readonly value: T } | undefined;
  sandbox ??= createContext({});
  sandbox.work = () => {
    result = { value: work() };
  };
  try {
    script.runInContext(sandbox, { timeout: limitMs });
  } catch (error) {
    if (!isTimeout(error)) throw error;
  } finally {
    sandbox.work = undefined;
  }
  return result;
}

/** It is an error of the other context, and so no instance of this one's Error. */
function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}
