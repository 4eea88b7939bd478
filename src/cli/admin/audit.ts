// `flwd audit`: prints and verifies the audit log.

import type { QueryOf } from '../../contract/operations.ts';
import { type AuditEntry, auditActions, auditResults } from '../../domain/audit.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { readChoice, readCount, readInstant, readValue } from '../option-values.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertInstance, assertOfThisMachine, openServedSession, workWith } from '../session/session.ts';
import { createOutput, flexible, type Output, right } from '../terminal/output.ts';

const linesOfText = 100;
const rowsAtOnce = 500;

type Filter = Omit<QueryOf<'listAudit'>, 'limit' | 'offset' | 'cursor'>;
type Page = { readonly entries: readonly AuditEntry[]; readonly next_cursor: string | null };
type ReadPage = (at: { readonly limit: number; readonly cursor?: string }) => Promise<Page>;

/** `flwd audit`: lists the newest entries first. Asks the server if one is running, else reads the database itself. */
export async function list(options: Options): Promise<void> {
  const output = createOutput(options);
  const filter = filterOf(options);
  const limit = readCount(options, 'limit') ?? (output.isJson ? Infinity : linesOfText);
  await withRows(options, filter, async (read) => {
    let count = 0;
    const shown: AuditEntry[] = [];
    for (let cursor: string | null | undefined; cursor !== null && count < limit; ) {
      const page = await read({ limit: Math.min(limit - count, rowsAtOnce), ...(cursor && { cursor }) });
      if (output.isJson) for (const entry of page.entries) output.json(entry);
      else shown.push(...page.entries);
      count += page.entries.length;
      cursor = page.next_cursor;
    }
    if (count === 0) output.say('no entries');
    else if (!output.isJson) await printRows(shown, output);
  });
}

/** `flwd audit verify`: checks the hash chain, and prints the last hash for safekeeping elsewhere. */
export async function verify(options: Options): Promise<ExitCode> {
  assertOfThisMachine('audit verify', options);
  const { config } = loadConfiguration(options);
  assertInstance(config);
  const { verifyAudit } = await import('../../operator.ts');
  const { rows, first, last, removedThrough, broken } = await verifyAudit(config);
  if (options.has('json')) {
    process.stdout.write(`${JSON.stringify({ rows, first, last, removed_through: removedThrough, broken })}\n`);
    return broken ? exitCodes.runFailed : exitCodes.done;
  }
  if (removedThrough !== null)
    process.stdout.write(`entries up to ${removedThrough} were removed when their retention ended\n`);
  if (first && last) {
    const entries = `${rows} ${rows === 1 ? 'entry' : 'entries'}, ${first.id} (${first.at}) to ${last.id} (${last.at})`;
    process.stdout.write(
      broken
        ? `intact: ${entries}\n`
        : `verified ${entries}: nothing was changed or removed\nentry ${last.id}, the last one, has the hash ${last.hash}\n`,
    );
  }
  if (!broken) {
    if (!first) process.stdout.write('the audit log is empty\n');
    return exitCodes.done;
  }
  throw new Refusal(`the audit log is damaged at entry ${broken.id}: ${broken.why}`, exitCodes.runFailed);
}

/** @throws Refusal */
function filterOf(options: Options): Filter {
  return defined({
    action: readChoice(options, 'action', auditActions),
    result: readChoice(options, 'result', auditResults),
    actor: readValue(options, 'actor'),
    object: readValue(options, 'object'),
    tenant: readValue(options, 'tenant'),
    since: readInstant(options, 'since'),
    until: readInstant(options, 'until'),
  });
}

async function withRows(options: Options, filter: Filter, work: (read: ReadPage) => Promise<void>): Promise<void> {
  const session = await openServedSession(options);
  if (session) {
    await workWith(session, options, ({ client }) =>
      work((at) => client.call('listAudit', { query: { ...filter, ...at } })),
    );
    return;
  }
  const { config } = loadConfiguration(options);
  assertInstance(config);
  const { withAudit } = await import('../../operator.ts');
  const { since, until, ...others } = filter;
  const bounds = defined({ sinceMs: msOf(since), untilMs: msOf(until) });
  await withAudit(config, (audit) =>
    work(async (at) => {
      const { entries, nextCursor } = await audit.read({ ...others, ...bounds, ...at });
      return { entries, next_cursor: nextCursor };
    }),
  );
}

function msOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

async function printRows(entries: readonly AuditEntry[], output: Output): Promise<void> {
  await output.table(
    [
      right('ID'),
      'AT',
      'RESULT',
      'ACTION',
      flexible('WHO'),
      flexible('TENANT'),
      flexible('OBJECT'),
      flexible('WHY'),
      flexible('DETAIL'),
    ],
    entries.map(({ id, at, actor, tenant, action, object, from, result, reason, detail }) => [
      String(id),
      output.time(at),
      { text: result, style: result === 'done' ? 'good' : 'bad' },
      action,
      from === null ? actor.name : `${actor.name} (${from})`,
      tenant,
      object?.id ?? object?.kind ?? '-',
      reason ?? '-',
      detail === null ? '-' : JSON.stringify(detail),
    ]),
  );
}
