// Ctrl-Z, as it is in a program that leaves the terminal's keys to the terminal: the shell has it until `fg`.

import { setTimeout as pause } from 'node:timers/promises';
import { useApp } from 'ink';
import { useEffect, useMemo } from 'react';

/** Of our own time, in which a signal to ourselves has certainly come. */
const settleMs = 100;

/** @returns stops the process, and whatever else of it the shell waits for */
export function useSuspend(): () => void {
  const { suspendTerminal } = useApp();
  const suspend = useMemo(() => {
    const stop = async (): Promise<void> => {
      process.off('SIGTSTP', suspendNow);
      try {
        await suspendTerminal(async () => {
          // Without a shell that could continue it, nothing stops, and it goes on at once.
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
