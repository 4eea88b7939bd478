// `flwd audit`: prints the audit log, newest first, straight from the database.

import { type AuditEntry, auditActions, auditResults } from '../domain/audit.ts';
import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { readChoice, readCount, readInstant } from './option-values.ts';

const linesOfText = 100;
const rowsAtOnce = 500;

export async function run(options: Options): Promise<ExitCode> {
  const { config } = loadConfiguration(options);
  const one = (name: string) => options.get(name)?.[0];
  const since = readInstant(options, 'since');
  const action = readChoice(options, 'action', auditActions);
  const result = readChoice(options, 'result', auditResults);
  const actor = one('actor');
  const object = one('object');
  const filter = {
    ...(actor !== undefined && { actor }),
    ...(object !== undefined && { object }),
    ...(since !== undefined && { sinceMs: Date.parse(since) }),
    ...(action !== undefined && { action }),
    ...(result !== undefined && { result }),
  };
  const isJson = options.has('json');
  const toLine = isJson ? (entry: AuditEntry) => JSON.stringify(entry) : toText;
  let left = readCount(options, 'limit') ?? (isJson ? Infinity : linesOfText);
  const { openAudit } = await import('../operator.ts');
  const audit = openAudit(config);
  try {
    for (let cursor: string | null | undefined; cursor !== null && left > 0; ) {
      const page = await audit.read({ ...filter, limit: Math.min(left, rowsAtOnce), ...(cursor && { cursor }) });
      process.stdout.write(page.entries.map((entry) => `${toLine(entry)}\n`).join(''));
      left -= page.entries.length;
      cursor = page.nextCursor;
    }
  } finally {
    audit.close();
  }
  return exitCodes.done;
}

/** Names may come from elsewhere: no control character reaches the terminal. */
function toText({ at, actor, from, action, object, result, reason, detail }: AuditEntry): string {
  const who = from === null ? actor.name : `${actor.name} (${from})`;
  const what = object?.id == null ? (object?.kind ?? '-') : object.id;
  const why = reason === null ? [] : [reason];
  const more = detail === null ? [] : [JSON.stringify(detail)];
  const line = [at, result.padEnd(7), action.padEnd(16), who, what, ...why, ...more].join('  ');
  return line.replaceAll(/\p{Cc}/gu, ' ');
}
