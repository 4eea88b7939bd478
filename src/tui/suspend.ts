// Ctrl-Z suspends the UI like any other program: the shell has the terminal until `fg`.

import { setTimeout as pause } from 'node:timers/promises';
import { useApp } from 'ink';
import { useEffect, useMemo } from 'react';

/** A signal that the process sends to itself arrives well within this time. */
const settleMs = 100;

/** @returns a function that stops the whole process group, for which the shell waits */
export function useSuspend(): () => void {
  const { suspendTerminal } = useApp();
  const suspend = useMemo(() => {
    const stop = async (): Promise<void> => {
      process.off('SIGTSTP', suspendNow);
      try {
        await suspendTerminal(async () => {
          // If there is no shell that could continue the process, it does not stop, and runs on at once.
          process.kill(0, 'SIGTSTP');
          await pause(settleMs);
        });
      } finally {
        process.on('SIGTSTP', suspendNow);
      }
    };
    let isSuspended = false;
    const suspendNow = (): void => {
      if (isSuspended) return;
      isSuspended = true;
      void stop().finally(() => {
        isSuspended = false;
      });
    };
    return suspendNow;
  }, [suspendTerminal]);
  useEffect(() => {
    process.on('SIGTSTP', suspend);
    return () => void process.off('SIGTSTP', suspend);
  }, [suspend]);
  return suspend;
}
