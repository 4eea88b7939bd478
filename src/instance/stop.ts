// Closes the parts of an instance, in reverse order. If a part does not end, logs its name and ends the process.

import type { Logger } from '../lib/logger.ts';
import { endProcess } from './end-process.ts';

/** If a part takes longer than this to close, the log names it. */
const namedAfterMs = 3_000;
/**
 * How long all parts may take. systemd waits 15 s (packaging/flwd.service), and the server needs some of that before it
 * closes its parts.
 */
const mostMs = 12_000;
/** The exit code for a bug. */
const bug = 70;

/** Registers how to close a part. The log calls the part by this name. */
export type OnStop = (name: string, close: () => unknown) => void;

export function createStop(log: Logger): { readonly onStop: OnStop; readonly stop: () => Promise<void> } {
  const parts: { readonly name: string; readonly close: () => unknown }[] = [];
  return {
    onStop: (name, close) => void parts.push({ name, close }),
    /** If a part cannot be closed, that is logged, and the other parts are closed nevertheless. */
    async stop() {
      const failures: unknown[] = [];
      let closing = '';
      const limit = setTimeout(() => {
        const what = `this process did not stop within ${mostMs / 1000} s because of ${closing}`;
        log.error(`${what}: it ends now; nothing is lost, and running scripts continue`);
        endProcess(bug);
      }, mostMs);
      for (const { name, close } of parts.toReversed()) {
        closing = name;
        const naming = setTimeout(() => log.warn(`still stopping: ${name}`), namedAfterMs);
        try {
          await close();
        } catch (error) {
          log.error({ err: error }, `${name} could not be closed`);
          failures.push(error);
        }
        clearTimeout(naming);
      }
      clearTimeout(limit);
      if (failures.length > 0) throw new AggregateError(failures, 'some parts of the server could not be closed');
    },
  };
}
