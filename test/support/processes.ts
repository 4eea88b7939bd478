// The processes of this host as /proc shows them, including those in other pid namespaces.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate as yieldNow } from 'node:timers/promises';
import { errorCode } from '../../src/lib/error-code.ts';

export type ProcessSeen = { readonly pid: number; readonly command: string };

/** Live processes whose command line contains the text. A zombie has no command line any more. */
export function processesWith(text: string): ProcessSeen[] {
  return numbersIn('/proc')
    .filter((pid) => pid !== process.pid)
    .map((pid) => ({ pid, command: commandOf(pid) }))
    .filter(({ command }) => command.includes(text));
}

/** Live processes that have a file of the folder open, or whose command line contains its name. */
export function processesOf(dir: string): ProcessSeen[] {
  const named = processesWith(dir);
  const open = numbersIn('/proc')
    .filter((pid) => pid !== process.pid && !named.some((one) => one.pid === pid))
    .filter((pid) => numbersIn(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`).startsWith(`${dir}/`)));
  return [...named, ...open.map((pid) => ({ pid, command: commandOf(pid) }))];
}

/**
 * The state of proc_pid_stat(5), such as `S` for sleeping and `T` for stopped; undefined for a process that is gone.
 */
export function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name before the state is in parentheses, and may itself contain spaces and parentheses.
    return stat.charAt(stat.lastIndexOf(')') + 2);
  } catch {
    return undefined;
  }
}

/** Its memory in use; 0 for a process that is gone. */
export function residentBytesOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Ends everything that `processesWith` finds with SIGKILL. The end of one process may end others. */
export function killProcessesWith(text: string): void {
  killAll(processesWith(text));
}

/** Ends everything that `processesOf` finds, and the processes that these have started meanwhile. */
export async function endProcessesOf(dir: string): Promise<void> {
  for (let found = processesOf(dir); found.length > 0; found = processesOf(dir)) {
    killAll(found);
    await yieldNow();
  }
}

function killAll(processes: readonly ProcessSeen[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // The process may have ended before.
      if (errorCode(error) !== 'ESRCH') throw error;
    }
  }
}

/** Empty for a process that is gone. */
function numbersIn(dir: string): number[] {
  try {
    return readdirSync(dir).map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}
