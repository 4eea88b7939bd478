// The processes of this host, as /proc shows them: those in other pid namespaces too.

import { readdirSync, readFileSync } from 'node:fs';

export type ProcessSeen = { readonly pid: number; readonly command: string };

/** Living processes whose command line holds the text. A zombie has no command line any more. */
export function processesWith(text: string): ProcessSeen[] {
  const seen: ProcessSeen[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = commandOf(pid);
    if (command.includes(text)) seen.push({ pid, command });
  }
  return seen;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}
