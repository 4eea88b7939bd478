// Ctrl-Z suspends the UI like any other program: the shell has the terminal until `fg`.

import { setTimeout as pause } from 'node:timers/promises';
import { useApp } from 'ink';
import { useEffect, useMemo } from 'react';

/** How long to wait for a signal that the process sends to itself. It arrives much sooner. */
const settleMs = 100;

/** @returns a function that stops the whole process group, because the shell waits for the group */
export function useSuspend(): () => void {
  const { suspendTerminal } = useApp();
  const suspend = useMemo(() => {
    const stop = async (): Promise<void> => {
      process.off('SIGTSTP', suspendNow);
      try {
        await suspendTerminal(async () => {
          // If there is no shell that could continue the process, the signal does not stop it.
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
