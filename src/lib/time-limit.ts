// Runs a function with a time limit and stops it when it takes longer. A single call into the JavaScript engine, such
// as a search in a long text, cannot be stopped, so callers must limit the input.

import { type Context, createContext, Script } from 'node:vm';

const script = new Script('work()');
let sandbox: Context | undefined;

/**
 * How often the work is tried. The clock also runs while other processes use the CPU, so a single timeout does not
 * prove that the function is slow.
 */
const turns = 3;

/**
 * Calls `work`, and may call it again from the beginning. Takes 0.2 ms longer than the work itself.
 * @throws TimeLimitPassed, and errors of `work`
 */
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

/** undefined when the time was over. */
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

/**
 * Whether the error is a timeout. It comes from another context, so it is not an instance of the Error of this context.
 */
function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}
