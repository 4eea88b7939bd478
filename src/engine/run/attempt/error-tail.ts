// Keeps the last lines that an attempt printed on standard error. They help to explain its failure.

import { stripVTControlCharacters } from 'node:util';
import { spoolMark } from '../../../domain/log-line.ts';
import type { Redactor } from '../../../exec/redact/redact.ts';

const errorMark = Buffer.of(spoolMark, 'E'.charCodeAt(0));
export const keptErrors = 40;
const shownErrorLength = 500;

export function createErrorTail(redactor: Redactor) {
  let last: readonly string[] = [];
  return {
    /** Adds output that is already redacted, as it goes to the log. */
    add(bytes: Buffer): void {
      last = [...last, ...errorsIn(bytes)].slice(-keptErrors);
    },
    /** Starts with lines that an earlier process stored. */
    restore(lines: readonly string[]): void {
      last = lines.flatMap(shownLine);
    },
    /**
     * Oldest first, as a terminal shows them. The lines are redacted again, because a secret may appear when the escape
     * sequences inside it are removed.
     */
    lines: (): readonly string[] => last.map((line) => redactor.text(line)),
  };
}

/** Returns the last lines of standard error in `bytes`. */
function errorsIn(bytes: Buffer): string[] {
  const lines: string[] = [];
  let end = bytes.length;
  for (let count = 0; count < keptErrors; count += 1) {
    const at = end < errorMark.length ? -1 : bytes.lastIndexOf(errorMark, end - errorMark.length);
    if (at < 0) break;
    const start = at + errorMark.length;
    const newline = bytes.indexOf(10, start);
    lines.unshift(...shownLine(bytes.toString('utf8', start, newline < 0 ? bytes.length : newline)));
    end = at;
  }
  return lines;
}

/**
 * The line as a terminal shows it: without colours, and only its last state if it was overwritten. Returns an empty
 * list if it shows no text.
 */
function shownLine(line: string): string[] {
  // A shell that reads a script with Windows line endings says `set: pipefail\r: invalid option name`.
  const whole = line.trimEnd().replaceAll('\r:', '\\r:');
  const shown = stripVTControlCharacters(whole.slice(whole.lastIndexOf('\r') + 1));
  return shown.trim() === '' ? [] : [shown.slice(0, shownErrorLength)];
}
