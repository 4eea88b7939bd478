// `flwd audit`: prints the audit log, newest first. Asks the server if one is running, else reads the database itself.

import type { QueryOf } from '../../contract/operations.ts';
import { type AuditEntry, auditActions, auditResults } from '../../domain/audit.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { readChoice, readCount, readInstant } from '../option-values.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { assertInstance, openServedSession, workWith } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';

const linesOfText = 100;
const rowsAtOnce = 500;

type Filter = Omit<QueryOf<'listAudit'>, 'limit' | 'offset' | 'cursor'>;
type Page = { readonly entries: readonly AuditEntry[]; readonly next_cursor: string | null };
type ReadPage = (at: { readonly limit: number; readonly cursor?: string }) => Promise<Page>;

export async function run(options: Options): Promise<ExitCode> {
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
  return exitCodes.done;
}

/** @throws Refusal */
function filterOf(options: Options): Filter {
  const action = readChoice(options, 'action', auditActions);
  const result = readChoice(options, 'result', auditResults);
  const one = (name: string) => options.get(name)?.[0];
  const texts = {
    actor: one('actor'),
    object: one('object'),
    tenant: one('tenant'),
    since: readInstant(options, 'since'),
    until: readInstant(options, 'until'),
  };
  const given = Object.entries(texts).filter(([, text]) => text !== undefined);
  return { ...Object.fromEntries(given), ...(action && { action }), ...(result && { result }) };
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
  const bounds = {
    ...(since !== undefined && { sinceMs: Date.parse(since) }),
    ...(until !== undefined && { untilMs: Date.parse(until) }),
  };
  await withAudit(config, (audit) =>
    work(async (at) => {
      const { entries, nextCursor } = await audit.read({ ...others, ...bounds, ...at });
      return { entries, next_cursor: nextCursor };
    }),
  );
}

async function printRows(entries: readonly AuditEntry[], output: Output): Promise<void> {
  await output.table(
    [
      { name: 'ID', isRight: true },
      { name: 'AT' },
      { name: 'RESULT' },
      { name: 'ACTION' },
      { name: 'WHO', isFlexible: true },
      { name: 'TENANT', isFlexible: true },
      { name: 'OBJECT', isFlexible: true },
      { name: 'WHY', isFlexible: true },
      { name: 'DETAIL', isFlexible: true },
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
