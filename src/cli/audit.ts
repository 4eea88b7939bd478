// `flwd audit`: prints the audit log, newest first, straight from the database.

import { type AuditEntry, auditActions, auditResults } from '../domain/audit.ts';
import { parseTimestampUs, systemClock } from '../lib/clock.ts';
import { nearest } from '../lib/nearest.ts';
import { parseDuration } from '../lib/units.ts';
import type { Options } from './commands.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { explainedStart } from './start-failure.ts';

const linesOfText = 100;
const rowsAtOnce = 500;

export async function run(options: Options): Promise<ExitCode> {
  const { config } = loadConfiguration(options);
  const one = (name: string) => options.get(name)?.[0];
  const since = one('since');
  const actor = one('actor');
  const object = one('object');
  const filter = {
    ...(actor !== undefined && { actor }),
    ...(object !== undefined && { object }),
    ...(since !== undefined && { sinceMs: toInstant(since) }),
    ...oneOf('action', auditActions, one('action')),
    ...oneOf('result', auditResults, one('result')),
  };
  const isJson = options.has('json');
  const toLine = isJson ? (entry: AuditEntry) => JSON.stringify(entry) : toText;
  let left = toLimit(one('limit')) ?? (isJson ? Infinity : linesOfText);
  const { openAudit } = await import('../operator.ts');
  try {
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
  } catch (error) {
    throw explainedStart(error);
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

function oneOf<const T extends string>(name: string, values: readonly T[], given: string | undefined) {
  if (given === undefined) return {};
  const found = values.find((value) => value === given);
  if (found !== undefined) return { [name]: found };
  const meant = nearest(given, values);
  throw new Refusal(
    `--${name} ${given}: there is none${meant ? `; did you mean \`${meant}\`?` : `: ${values.join(', ')}`}`,
  );
}

function toInstant(text: string): number {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return systemClock.now() - agoMs;
  const us = parseTimestampUs(text);
  if (us !== undefined) return Math.ceil(us / 1000);
  throw new Refusal(`--since ${text} is no time such as 2026-01-31T12:00:00Z, and no duration such as 2d`);
}

function toLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Refusal(`--limit ${text} is no number of rows`);
}
