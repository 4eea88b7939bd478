// `flwd audit`: prints the audit log, newest first. Asks the server if one is running, else reads the database itself.

import type { QueryOf } from '../../contract/operations.ts';
import { type AuditEntry, auditActions, auditResults } from '../../domain/audit.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { readChoice, readCount, readInstant, readValue } from '../option-values.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertInstance, openServedSession, workWith } from '../session/session.ts';
import { createOutput, flexible, type Output, right } from '../terminal/output.ts';

const linesOfText = 100;
const rowsAtOnce = 500;

type Filter = Omit<QueryOf<'listAudit'>, 'limit' | 'offset' | 'cursor'>;
type Page = { readonly entries: readonly AuditEntry[]; readonly next_cursor: string | null };
type ReadPage = (at: { readonly limit: number; readonly cursor?: string }) => Promise<Page>;

export async function run(options: Options): Promise<void> {
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
